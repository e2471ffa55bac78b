//! A throw-away certificate authority, which exists for as long as its sandbox.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use federate_core::Error;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};

use crate::codes;

/// How long the certificates are valid, in seconds: 30 days, longer than any sandbox runs.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// What the server needs, and what its clients do. The authority's own key is gone already.
pub(crate) struct ServerCertificate {
    /// The authority's certificate, for clients.
    pub(crate) authority_pem: String,
    /// The server's certificate, for loopback addresses alone.
    pub(crate) chain_pem: String,
    /// The server's key.
    pub(crate) key_pem: String,
}

impl ServerCertificate {
    /// Makes an authority, has it sign a certificate for loopback, and forgets its key.
    ///
    /// # Errors
    /// `sandbox-failed`.
    pub(crate) fn generate(now: SystemTime) -> Result<Self, Error> {
        Self::try_generate(now).map_err(|error| {
            Error::new(&codes::SANDBOX_FAILED, "the sandbox's certificate cannot be made").with_cause(error.to_string())
        })
    }

    fn try_generate(now: SystemTime) -> Result<Self, rcgen::Error> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::default();
        limit_to(&mut authority, now);
        authority.distinguished_name.push(DnType::CommonName, "federate sandbox (throw-away)");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Python 3.13 and later refuse certificates without these identifiers.
        authority.use_authority_key_identifier_extension = true;
        let authority_pem = authority.self_signed(&authority_key)?.pem();

        let server_key = KeyPair::generate()?;
        let mut server = CertificateParams::new(vec!["localhost".to_owned()])?;
        limit_to(&mut server, now);
        server.distinguished_name.push(DnType::CommonName, "federate sandbox");
        server
            .subject_alt_names
            .extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(SanType::IpAddress));
        server.is_ca = IsCa::ExplicitNoCa;
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let chain_pem = server.signed_by(&server_key, &Issuer::from_params(&authority, &authority_key))?.pem();
        Ok(Self { authority_pem, chain_pem, key_pem: server_key.serialize_pem() })
    }
}

fn limit_to(certificate: &mut CertificateParams, now: SystemTime) {
    // A day of leeway: the client's clock may be behind, or its machine elsewhere.
    let before = now.checked_sub(Duration::from_secs(86_400)).unwrap_or(SystemTime::UNIX_EPOCH);
    if let Some((year, month, day)) = day(before) {
        certificate.not_before = date_time_ymd(year, month, day);
    }
    if let Some((year, month, day)) = day(now + LIFETIME) {
        certificate.not_after = date_time_ymd(year, month, day);
    }
}

fn day(time: SystemTime) -> Option<(i32, u8, u8)> {
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let mut parts = text.get(..10)?.split('-');
    let (year, month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sandbox_has_its_own_authority() {
        let now = SystemTime::now();
        let (one, other) = (ServerCertificate::generate(now).unwrap(), ServerCertificate::generate(now).unwrap());
        assert_ne!(one.authority_pem, other.authority_pem);
        assert!(one.authority_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(one.key_pem.contains("PRIVATE KEY") && !one.authority_pem.contains("PRIVATE KEY"));
        assert!(federate_http::ServerTls::from_pem(&one.chain_pem, &one.key_pem).is_ok());
        assert!(federate_http::ServerTls::from_pem(&one.chain_pem, &other.key_pem).is_err());
    }
}
