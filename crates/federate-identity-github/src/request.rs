//! Asking GitHub for a token.

use federate_core::error::said;
use federate_core::{
    Audiences, Context, Error, IdToken, Reach, Request, Response, Secret, TokenRequestEndpoint, codes,
};
use serde_json::Value as Json;
use url::{Url, form_urlencoded};

use crate::help;

/// Where to ask; set by the runner, with a query.
pub(crate) const URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
/// The bearer token to ask with.
pub(crate) const TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Both variables, if both are there.
pub(crate) fn endpoint(context: &Context) -> Option<TokenRequestEndpoint> {
    Some(TokenRequestEndpoint {
        url: context.env.get(URL_VARIABLE)?.to_owned(),
        token: Secret::new(context.env.get(TOKEN_VARIABLE)?.trim()),
    })
}

/// The request for a token with this audience.
pub(crate) fn build(context: &Context, audiences: &Audiences) -> Result<Request, Error> {
    let endpoint = endpoint(context).ok_or_else(|| help::missing(context))?;
    let mut url = Url::parse(&endpoint.url).map_err(|error| {
        Error::new(&codes::TOKEN_REQUEST_REFUSED, format!("{URL_VARIABLE} is not a URL"))
            .with_cause(error.to_string())
            .with_origin(format!("environment variable {URL_VARIABLE}"))
            .with_help("the runner sets it; pass it on unchanged")
    })?;
    // What the runner wrote stays to the letter: written anew, it might mean something else.
    let is_audience = |pair: &str| form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == "audience");
    let others: Vec<&str> =
        url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_audience(pair)).collect();
    let others = others.join("&");
    url.set_query((!others.is_empty()).then_some(others.as_str()));
    url.query_pairs_mut().append_pair("audience", audiences.first());
    Ok(Request::get("ID token request", url, Reach::Ci)
        .with_header("authorization", Secret::new(format!("Bearer {}", endpoint.token.reveal())))
        .with_header("accept", "application/json"))
}

/// The token of the answer.
pub(crate) fn read(response: &Response) -> Result<IdToken, Error> {
    let json: Option<Json> = serde_json::from_slice(&response.body).ok();
    match response.status {
        200 => {
            let value = json.as_ref().and_then(|json| json.get("value")?.as_str()).filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| {
                Error::new(&codes::RESPONSE_INVALID, "GitHub's answer to the ID token request holds no token")
                    .with_cause("expected was JSON with a `value`")
                    .with_help(format!(
                        "check what {URL_VARIABLE} leads to; a proxy may have answered in GitHub's place"
                    ))
            })?;
            IdToken::parse(Secret::new(value), "GitHub")
        }
        status @ (429 | 500..=599) => {
            Err(Error::new(&codes::SERVICE_ERROR, format!("GitHub answered {status} to the ID token request"))
                .with_help("see https://www.githubstatus.com, then run the job again"))
        }
        status => {
            let message =
                json.as_ref().and_then(|json| json.get("message").or_else(|| json.get("error"))?.as_str()).map(said);
            let error = Error::new(&codes::TOKEN_REQUEST_REFUSED, format!("GitHub refused the ID token request ({status})"))
                .with_help("the request token belongs to one job and ends with it; run the job again, and let no wrapper keep the variables of another job");
            Err(match message {
                Some(message) => error.with_cause(message),
                None => error,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use federate_core::testing::fixture;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_audience_is_added_to_the_parsed_url() {
        let variables = [
            (URL_VARIABLE, "https://run.actions.githubusercontent.com/x/idtoken?api-version=2.0&audience=old"),
            (TOKEN_VARIABLE, "canary"),
        ];
        let request = build(&fixture(&variables, |_| true).context, &Audiences::one("api://Azure AD&x")).unwrap();
        assert_eq!(request.url.query(), Some("api-version=2.0&audience=api%3A%2F%2FAzure+AD%26x"));
        assert!(!format!("{request:?} {}", request.shown()).contains("canary"));
        let odd = [
            (URL_VARIABLE, "https://x.example/token?audience=a&x=a%20b+c&y=%E4&%61udience=b&"),
            (TOKEN_VARIABLE, "c\n"),
        ];
        assert_eq!(
            build(&fixture(&odd, |_| true).context, &Audiences::one("a")).unwrap().url.query(),
            Some("x=a%20b+c&y=%E4&audience=a")
        );
        let bare = [(URL_VARIABLE, "https://x.example/token"), (TOKEN_VARIABLE, "canary")];
        assert_eq!(
            build(&fixture(&bare, |_| true).context, &Audiences::one("a")).unwrap().url.query(),
            Some("audience=a")
        );
    }

    #[test]
    fn answers_are_read_strictly() {
        for (status, body, code) in [
            (200, "<html>", "response-invalid"),
            (200, "", "response-invalid"),
            (200, r#"{"count":1}"#, "response-invalid"),
            (200, r#"{"value":""}"#, "response-invalid"),
            (200, r#"{"value":7}"#, "response-invalid"),
            (200, r#"{"value":"canary"}"#, "token-malformed"),
            (401, r#"{"message":"Unauthorized"}"#, "token-request-refused"),
            (403, "", "token-request-refused"),
            (503, "", "service-error"),
        ] {
            let error = read(&answer(status, body)).unwrap_err();
            assert_eq!(error.code().name, code, "{status} {body}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        assert!(
            format!("{:?}", read(&answer(401, r#"{"message":"Unauthorized"}"#)).unwrap_err()).contains("Unauthorized")
        );
    }
}
