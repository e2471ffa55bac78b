//! AWS Signature Version 4 (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::time::{Duration, SystemTime};

use federate_core::Secret;
use ring::{digest, hmac};
use url::Url;

/// What a request is signed with.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// The access key's secret.
    pub secret_access_key: &'a Secret,
    /// The session's token, which is signed as `x-amz-security-token`.
    pub session_token: Option<&'a Secret>,
    /// The region of the endpoint.
    pub region: &'a str,
    /// The service: `sts`.
    pub service: &'a str,
}

impl Signer<'_> {
    /// The headers to add: `x-amz-date`, `x-amz-security-token`, `authorization`. `headers` are those that the request has
    /// already and that are to be signed, besides `host`.
    pub fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
        now: SystemTime,
    ) -> Vec<(&'static str, Secret)> {
        let (date, timestamp) = timestamps(now);
        let mut signed: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), trimmed(value))).collect();
        signed.push(("host".to_owned(), host(url)));
        signed.push(("x-amz-date".to_owned(), timestamp.clone()));
        if let Some(token) = self.session_token {
            signed.push(("x-amz-security-token".to_owned(), token.reveal().to_owned()));
        }
        signed.sort();
        let names = names(&signed);
        let scope = self.scope(&date);
        let signature = self.signature(method, url, &signed, body, &timestamp);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key_id
        );
        let mut added = vec![("x-amz-date", Secret::new(timestamp)), ("authorization", Secret::new(authorization))];
        added.extend(self.session_token.map(|token| ("x-amz-security-token", token.clone())));
        added
    }

    /// A URL for a GET that whoever has it may send for so long, with these headers and no others signed besides `host`
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html>, query parameters).
    pub fn presign(&self, url: &Url, headers: &[(&str, &str)], life: Duration, now: SystemTime) -> Secret {
        let (date, timestamp) = timestamps(now);
        let mut signed: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), trimmed(value))).collect();
        signed.push(("host".to_owned(), host(url)));
        signed.sort();
        let mut url = url.clone();
        let mut add = |name: &str, value: &str| {
            let before = url.query().map_or_else(String::new, |query| format!("{query}&"));
            url.set_query(Some(&format!("{before}{name}={}", encode(value))));
        };
        add("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
        add("X-Amz-Credential", &format!("{}/{}", self.access_key_id, self.scope(&date)));
        add("X-Amz-Date", &timestamp);
        add("X-Amz-Expires", &life.as_secs().to_string());
        add("X-Amz-SignedHeaders", &names(&signed));
        if let Some(token) = self.session_token {
            add("X-Amz-Security-Token", token.reveal());
        }
        let signature = self.signature("GET", &url, &signed, b"", &timestamp);
        let separator = if url.query().is_some() { '&' } else { '?' };
        Secret::new(format!("{url}{separator}X-Amz-Signature={signature}"))
    }

    fn scope(&self, date: &str) -> String {
        format!("{date}/{}/{}/aws4_request", self.region, self.service)
    }

    /// The signature of a request whose signed headers are sorted by name.
    fn signature(&self, method: &str, url: &Url, signed: &[(String, String)], body: &[u8], timestamp: &str) -> String {
        let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!(
            "{method}\n{}\n{}\n{lines}\n{}\n{}",
            path(url),
            query(url),
            names(signed),
            hex(digest::digest(&digest::SHA256, body).as_ref())
        );
        let date: String = timestamp.chars().take(8).collect();
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{timestamp}\n{}\n{}",
            self.scope(&date),
            hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
        );
        self.tag(&date, &to_sign)
    }

    fn tag(&self, date: &str, to_sign: &str) -> String {
        let key = |key: &[u8], message: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
        let start = Secret::new(format!("AWS4{}", self.secret_access_key.reveal()));
        let mut tag = key(start.reveal().as_bytes(), date);
        for part in [self.region, self.service, "aws4_request", to_sign] {
            tag = key(tag.as_ref(), part);
        }
        hex(tag.as_ref())
    }
}

/// `20150830` and `20150830T123600Z`.
fn timestamps(now: SystemTime) -> (String, String) {
    let whole = SystemTime::UNIX_EPOCH
        + Duration::from_secs(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs());
    let timestamp = humantime::format_rfc3339_seconds(whole).to_string().replace(['-', ':'], "");
    (timestamp.chars().take(8).collect(), timestamp)
}

fn names(signed: &[(String, String)]) -> String {
    signed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
}

fn trimmed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The path, encoded once more, as all services but S3 want it.
fn path(url: &Url) -> String {
    match url.path() {
        "" => "/".to_owned(),
        path => path.split('/').map(encode).collect::<Vec<_>>().join("/"),
    }
}

fn query(url: &Url) -> String {
    let mut pairs: Vec<(String, String)> =
        url.query_pairs().map(|(name, value)| (encode(&name), encode(&value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // AWS's published Signature Version 4 test suite.
    const SUITE: SystemTime = SystemTime::UNIX_EPOCH;
    const TIME: u64 = 1_440_938_160; // 2015-08-30T12:36:00Z

    fn authorization(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> String {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: &secret,
            session_token: None,
            region: "us-east-1",
            service: "service",
        };
        let added =
            signer.sign(method, &Url::parse(url).unwrap(), headers, body.as_bytes(), SUITE + Duration::from_secs(TIME));
        added.iter().find(|(name, _)| *name == "authorization").unwrap().1.reveal().to_owned()
    }

    #[test]
    fn the_published_vectors() {
        for (method, url, headers, body, names, signature) in [
            (
                "GET",
                "https://example.amazonaws.com/",
                &[][..],
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET",
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                &[],
                "",
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                &[],
                "",
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                &[("Content-Type", "application/x-www-form-urlencoded")],
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
            );
            assert_eq!(authorization(method, url, headers, body), expected, "{method} {url}");
        }
    }

    /// What `SigV4QueryAuth` of botocore 1.43.11 makes of the same request at the same time; AWS publishes vectors for S3
    /// alone, which signs otherwise.
    const BOTOCORES: &str = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Feu-west-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Security-Token=to%2Fken%2B%3D%3D&X-Amz-Signature=0ca31251f44229d74bb6429373aae1110a807880c3dd451acb148bd3a058ce5a";

    #[test]
    fn a_presigned_url_is_botocores() {
        let (secret, token) = (Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), Secret::new("to/ken+=="));
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: &secret,
            session_token: Some(&token),
            region: "eu-west-1",
            service: "sts",
        };
        let url =
            Url::parse("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15").unwrap();
        let headers = [("x-k8s-aws-id", "my cluster")];
        let presigned = signer.presign(&url, &headers, Duration::from_secs(60), SUITE + Duration::from_secs(TIME));
        assert_eq!(presigned.reveal(), BOTOCORES);
    }

    #[test]
    fn the_session_token_is_signed() {
        let (secret, token) = (Secret::new("s"), Secret::new("canary"));
        let signer = Signer {
            access_key_id: "A",
            secret_access_key: &secret,
            session_token: Some(&token),
            region: "r",
            service: "sts",
        };
        let added = signer.sign("POST", &Url::parse("https://h:8443/").unwrap(), &[], b"", SUITE);
        assert!(added[1].1.reveal().contains("SignedHeaders=host;x-amz-date;x-amz-security-token"));
        assert!(!format!("{added:?}").contains("canary"));
    }
}
