//! The parameters of STS's operations, checked before anything else is looked at.

use federate_http::Incoming;
use serde_json::Value as Json;

use crate::stage::RoleArn;

/// What STS refuses: status, code, text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    fn member(value: &str, name: &str, constraint: &str) -> Self {
        let what = if value.is_empty() { "null".to_owned() } else { format!("'{value}'") };
        Self::validation(format!(
            "1 validation error detected: Value {what} at '{name}' failed to satisfy constraint: {constraint}"
        ))
    }
}

/// A form's fields, or a query's.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn of(request: &Incoming) -> Self {
        Self(if request.method == "GET" { request.query.clone() } else { request.form() })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn action(&self) -> &str {
        self.get("Action").unwrap_or_default()
    }

    /// A text of a length between the two.
    pub(crate) fn required(&self, name: &str, at: &str, least: usize, most: usize) -> Result<&str, Refusal> {
        let value = self.get(name).unwrap_or_default();
        let length = value.chars().count();
        if value.is_empty() {
            return Err(Refusal::member("", at, "Member must not be null"));
        }
        // A token must not come back in a message, however wrong its length is.
        let shown = if name == "WebIdentityToken" { "(hidden)" } else { value };
        if length < least {
            let constraint = format!("Member must have length greater than or equal to {least}");
            return Err(Refusal::member(shown, at, &constraint));
        }
        if length > most {
            let constraint = format!("Member must have length less than or equal to {most}");
            return Err(Refusal::member(shown, at, &constraint));
        }
        Ok(value)
    }

    pub(crate) fn role(&self) -> Result<(&str, RoleArn), Refusal> {
        let arn = self.required("RoleArn", "roleArn", 20, 2048)?;
        let role = RoleArn::parse(arn).ok_or_else(|| Refusal::validation("Request ARN is invalid"))?;
        Ok((arn, role))
    }

    pub(crate) fn session_name(&self) -> Result<&str, Refusal> {
        let name = self.required("RoleSessionName", "roleSessionName", 2, 64)?;
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)) {
            return Ok(name);
        }
        let constraint = r"Member must satisfy regular expression pattern: [\w+=,.@-]*";
        Err(Refusal::member(name, "roleSessionName", constraint))
    }

    /// Seconds; an hour where nothing is asked for.
    pub(crate) fn duration(&self) -> Result<u64, Refusal> {
        let Some(text) = self.get("DurationSeconds") else { return Ok(3600) };
        let seconds: u64 =
            text.parse().map_err(|_| Refusal::new(400, "MalformedInput", "DurationSeconds is not a whole number"))?;
        let constraint = match seconds {
            ..900 => "Member must have value greater than or equal to 900",
            43_201.. => "Member must have value less than or equal to 43200",
            _ => return Ok(seconds),
        };
        Err(Refusal::member(text, "durationSeconds", constraint))
    }

    pub(crate) fn check_policy(&self) -> Result<(), Refusal> {
        let Some(policy) = self.get("Policy") else { return Ok(()) };
        if policy.chars().count() > 2048 {
            return Err(Refusal::member("(long)", "policy", "Member must have length less than or equal to 2048"));
        }
        let is_policy = serde_json::from_str::<Json>(policy).is_ok_and(|json| {
            json.get("Statement").is_some_and(|statement| statement.is_array() || statement.is_object())
        });
        if is_policy { Ok(()) } else { Err(Refusal::new(400, "MalformedPolicyDocument", "Syntax errors in policy.")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::post;

    fn of(form: &[(&str, &str)]) -> Parameters {
        Parameters::of(&post("/", form))
    }

    #[test]
    fn each_constraint_has_its_text() {
        assert!(
            of(&[])
                .role()
                .unwrap_err()
                .message
                .contains("'roleArn' failed to satisfy constraint: Member must not be null")
        );
        assert_eq!(
            of(&[("RoleArn", "arn:aws:iam::1:role/abcdefgh")]).role().unwrap_err().message,
            "Request ARN is invalid"
        );
        assert!(of(&[("RoleSessionName", "a b")]).session_name().unwrap_err().message.contains(r"[\w+=,.@-]*"));
        assert!(
            of(&[("RoleSessionName", "a")]).session_name().unwrap_err().message.contains("greater than or equal to 2")
        );
        for (text, found) in [("899", None), ("900", Some(900)), ("43200", Some(43_200)), ("43201", None), ("x", None)]
        {
            assert_eq!(of(&[("DurationSeconds", text)]).duration().ok(), found, "{text}");
        }
        assert_eq!(of(&[]).duration().unwrap(), 3600);
        for (policy, sound) in [("{", false), ("{}", false), (r#"{"Statement":[]}"#, true)] {
            assert_eq!(of(&[("Policy", policy)]).check_policy().is_ok(), sound, "{policy}");
        }
    }

    #[test]
    fn a_token_never_comes_back() {
        let long = format!("canary{}", "x".repeat(20_001));
        let request = of(&[("WebIdentityToken", &long)]);
        let refusal = request.required("WebIdentityToken", "webIdentityToken", 4, 20_000);
        assert!(!refusal.unwrap_err().message.contains("canary"));
    }
}
