//! Who signed the certificates that were not accepted: a proxy that inspects TLS is known by its name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The most characters of a name that are shown.
const SHOWN: usize = 120;

/// By host, who signed its certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strangers(Arc<Mutex<BTreeMap<String, String>>>);

impl Strangers {
    /// Remembers who signed this certificate.
    pub(crate) fn remember(&self, host: &str, certificate: &CertificateDer<'_>) {
        let issuer = EndEntityCert::try_from(certificate).ok().and_then(|parsed| name(parsed.issuer()));
        if let Some(issuer) = issuer {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_ascii_lowercase(), issuer);
        }
    }

    /// Who signed this host's certificate.
    pub(crate) fn of(&self, host: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&host.to_ascii_lowercase()).cloned()
    }
}

/// Common name and organization of a distinguished name (X.501; RFC 5280 section 4.1.2.4) without its outer sequence.
fn name(mut rest: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    const ORGANIZATION: &[u8] = &[0x55, 4, 10];
    let (mut common, mut organization) = (None, None);
    while let Some((set, after)) = element(rest) {
        rest = after;
        let Some((pair, _)) = element(set) else { continue };
        let Some((kind, value)) = element(pair) else { continue };
        let Some((value, _)) = element(value) else { continue };
        let text: String = String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        match kind {
            COMMON_NAME => common = Some(text),
            ORGANIZATION => organization = Some(text),
            _ => {}
        }
    }
    match (common, organization) {
        (Some(common), Some(organization)) => Some(format!("{common} ({organization})")),
        (one, other) => one.or(other),
    }
}

/// The content of the first DER element (X.690 section 8.1), and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_tag, rest) = der.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let length = match first {
        short @ 0..=0x7f => usize::from(*short),
        long @ 0x81..=0x82 => {
            let (digits, after) = rest.split_at_checked(usize::from(long & 0x7f))?;
            rest = after;
            digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, IsCa, KeyPair};

    use super::*;

    fn signed_by(names: &[(DnType, &str)]) -> Option<String> {
        let mut params = CertificateParams::new(vec!["sts.example.test".to_owned()]).unwrap();
        params.is_ca = IsCa::NoCa;
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, text) in names {
            params.distinguished_name.push(kind.clone(), *text);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let strangers = Strangers::default();
        strangers.remember("STS.example.test", certificate.der());
        strangers.of("sts.example.test")
    }

    #[test]
    fn the_signer_is_named() {
        let (common, organization) = (DnType::CommonName, DnType::OrganizationName);
        let both = signed_by(&[(organization.clone(), "Inspect Inc"), (common.clone(), "Inspect Root CA")]);
        assert_eq!(both.as_deref(), Some("Inspect Root CA (Inspect Inc)"));
        let long = "x".repeat(200);
        assert_eq!(signed_by(&[(common.clone(), &long)]).map(|name| name.len()), Some(SHOWN));
        assert_eq!(signed_by(&[(common, "a\u{1b}[31mb")]).as_deref(), Some("a[31mb"), "no control characters");
        assert_eq!(signed_by(&[(organization, "Only")]).as_deref(), Some("Only"));
        assert_eq!(signed_by(&[]), None);
    }

    #[test]
    fn broken_names_are_no_names() {
        for broken in [&[0x31][..], &[0x31, 0x80], &[0x31, 0x85, 1, 1, 1, 1, 1], &[0x31, 0x20, 1], &[0x31, 2, 0x30, 9]]
        {
            assert_eq!(name(broken), None, "{broken:?}");
        }
        assert_eq!(Strangers::default().of("anyone"), None);
    }
}
