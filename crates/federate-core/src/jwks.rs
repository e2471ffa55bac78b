//! Checking an ID token's signature against the issuer's published keys (RFC 7517, RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use crate::claims::VerifiedClaims;
use crate::codes;
use crate::error::Error;
use crate::token::IdToken;

/// An issuer's key set.
#[derive(Clone, Debug)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Clone, Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwks {
    /// Reads a JWKS document. Keys that cannot be read are left out (RFC 7517 section 5).
    ///
    /// # Errors
    /// `response-invalid`.
    pub fn parse(document: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let document: Document = serde_json::from_slice(document).map_err(|error| {
            Error::new(&codes::RESPONSE_INVALID, "the issuer's key set (JWKS) cannot be read")
                .with_cause(error.to_string())
        })?;
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        Ok(Self { keys })
    }

    /// Checks the signature: RS256/384/512, ES256, ES384, by the keys that the token's `kid` names; without one, by all.
    ///
    /// # Errors
    /// `token-signature`.
    pub fn verify(&self, token: &IdToken) -> Result<VerifiedClaims, Error> {
        let refuse = |what: String| {
            Err(Error::new(&codes::TOKEN_SIGNATURE, what)
                .with_help("the token was changed, or comes from someone else than the issuer that it names"))
        };
        let is_named = |key: &&Jwk| token.key_id().is_none_or(|id| key.kid.as_deref() == Some(id));
        let named: Vec<&Jwk> = self.keys.iter().filter(is_named).collect();
        let [key, ..] = named.as_slice() else {
            return refuse(format!(
                "the issuer publishes no key with the id {}",
                token.key_id().unwrap_or("(none given)")
            ));
        };
        let Some((message, signature)) = token.signed_parts() else {
            return refuse("the token has no signature".to_owned());
        };
        if named.iter().any(|key| key.accepts(token.algorithm(), message.as_bytes(), &signature)) {
            Ok(VerifiedClaims::new((**token.claims()).clone()))
        } else {
            refuse(format!(
                "the signature ({}) does not fit the issuer's key {}",
                token.algorithm(),
                key.kid.as_deref().unwrap_or("(without id)")
            ))
        }
    }
}

impl Jwk {
    fn accepts(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let bytes = |part: &Option<String>| {
            part.as_deref().and_then(|text| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok())
        };
        match (self.kty.as_str(), algorithm) {
            ("RSA", "RS256" | "RS384" | "RS512") => {
                let (Some(n), Some(e)) = (bytes(&self.n), bytes(&self.e)) else { return false };
                let scheme = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA512,
                };
                RsaPublicKeyComponents { n: strip_zeros(&n), e: strip_zeros(&e) }
                    .verify(scheme, message, signature)
                    .is_ok()
            }
            ("EC", "ES256" | "ES384") => {
                let curve = if algorithm == "ES256" { "P-256" } else { "P-384" };
                let (Some(x), Some(y)) = (bytes(&self.x), bytes(&self.y)) else { return false };
                if self.crv.as_deref() != Some(curve) {
                    return false;
                }
                let mut point = vec![4];
                point.extend(x);
                point.extend(y);
                let scheme = if algorithm == "ES256" {
                    &signature::ECDSA_P256_SHA256_FIXED
                } else {
                    &signature::ECDSA_P384_SHA384_FIXED
                };
                UnparsedPublicKey::new(scheme, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// ring refuses leading zeros, which some issuers publish.
fn strip_zeros(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    &bytes[start..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    // RFC 7515, appendix A.2 (RS256) and A.3 (ES256).
    const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const RSA_KEY: &str = r#"{"keys":[{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}]}"#;
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    const EC_KEY: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

    #[test]
    fn the_vectors_of_the_rfc_verify() {
        for (token, key) in [(RS256, RSA_KEY), (ES256, EC_KEY)] {
            let token = IdToken::parse(Secret::new(token), "RFC 7515").unwrap();
            let claims = Jwks::parse(key.as_bytes()).unwrap().verify(&token).unwrap();
            assert_eq!(claims.issuer(), Some("joe"));
        }
    }

    #[test]
    fn one_key_among_others_is_enough() {
        let (rsa, ec) = (&RSA_KEY[9..RSA_KEY.len() - 2], &EC_KEY[9..EC_KEY.len() - 2]);
        let keys = format!(r#"{{"keys":[{ec},5,null,{{"kid":"no type"}},{rsa}]}}"#);
        let token = IdToken::parse(Secret::new(RS256), "RFC 7515").unwrap();
        assert!(Jwks::parse(keys.as_bytes()).unwrap().verify(&token).is_ok());
    }

    #[test]
    fn a_changed_payload_and_a_strange_key_are_refused() {
        let changed = RS256.replacen("eyJpc3MiOiJqb2UiLA0K", "eyJpc3MiOiJKb2UiLA0K", 1);
        for (token, key) in [(changed.as_str(), RSA_KEY), (RS256, EC_KEY), (RS256, r#"{"keys":[]}"#)] {
            let token = IdToken::parse(Secret::new(token), "RFC 7515").unwrap();
            assert_eq!(Jwks::parse(key.as_bytes()).unwrap().verify(&token).unwrap_err().code().name, "token-signature");
        }
    }
}
