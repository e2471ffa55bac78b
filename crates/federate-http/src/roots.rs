//! Whom TLS trusts: extra roots first, the system's only when those do not know the issuer.
//!
//! Loading the system's store costs milliseconds, so it happens on the first certificate that needs it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use federate_core::Env;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Marks a message that stems from unreadable roots, not from the server's certificate.
pub(crate) const ROOTS_PROBLEM: &str = "the trusted certificates cannot be read: ";

/// A CA bundle that counts for some hosts, and for loopback.
#[derive(Clone)]
pub(crate) struct HostBundle {
    pub(crate) variable: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) is_for: fn(&str) -> bool,
}

/// Where roots come from.
#[derive(Clone, Default)]
pub(crate) struct RootSources {
    /// `[network] ca_file`: trusted besides the others.
    pub(crate) extra: Option<PathBuf>,
    /// `SSL_CERT_FILE`, in place of the system's.
    pub(crate) file: Option<PathBuf>,
    /// `SSL_CERT_DIR`, in place of the system's.
    pub(crate) directory: Option<PathBuf>,
    /// In place of both for their hosts.
    pub(crate) bundles: Vec<HostBundle>,
    /// The sandbox's CA: the only one, where it is set.
    pub(crate) sandbox: Option<PathBuf>,
}

impl RootSources {
    pub(crate) fn from_env(env: &Env, extra: Option<&Path>, sandbox: Option<&Path>) -> Self {
        let path = |name: &str| env.get(name).map(PathBuf::from);
        Self {
            extra: extra.map(Path::to_owned),
            file: path("SSL_CERT_FILE"),
            directory: path("SSL_CERT_DIR"),
            bundles: Vec::new(),
            sandbox: sandbox.map(Path::to_owned),
        }
    }
}

type Loaded = OnceLock<Result<Arc<WebPkiServerVerifier>, String>>;

/// Verifies server certificates against the roots that count for the host.
pub(crate) struct LayeredVerifier {
    provider: Arc<CryptoProvider>,
    sources: RootSources,
    extra: Loaded,
    system: Loaded,
    bundles: Vec<Loaded>,
    sandbox: Loaded,
}

impl LayeredVerifier {
    pub(crate) fn new(provider: Arc<CryptoProvider>, sources: RootSources) -> Self {
        let bundles = sources.bundles.iter().map(|_| Loaded::new()).collect();
        Self { provider, sources, extra: Loaded::new(), system: Loaded::new(), bundles, sandbox: Loaded::new() }
    }

    fn verifier(
        &self,
        slot: &Loaded,
        load: impl FnOnce() -> Result<RootCertStore, String>,
    ) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        slot.get_or_init(|| {
            let roots = load()?;
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                .build()
                .map_err(|error| error.to_string())
        })
        .clone()
        .map_err(|why| rustls::Error::General(format!("{ROOTS_PROBLEM}{why}")))
    }

    fn base(&self, server: &ServerName<'_>) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let name = server.to_str();
        for (bundle, slot) in self.sources.bundles.iter().zip(&self.bundles) {
            if (bundle.is_for)(&name.to_ascii_lowercase()) || is_loopback(server) {
                return self
                    .verifier(slot, || from_file(&bundle.file).map_err(|why| format!("{} ({why})", bundle.variable)));
            }
        }
        self.verifier(&self.system, || system_roots(&self.sources))
    }
}

fn is_loopback(server: &ServerName<'_>) -> bool {
    match server {
        ServerName::IpAddress(address) => std::net::IpAddr::from(*address).is_loopback(),
        other => other.to_str().eq_ignore_ascii_case("localhost"),
    }
}

fn from_file(path: &Path) -> Result<RootCertStore, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("{}: {error}", path.display()))?;
        // Stores in the field hold certificates that webpki cannot parse; the others still count.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() { Err(format!("{} holds no certificate", path.display())) } else { Ok(roots) }
}

fn system_roots(sources: &RootSources) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if sources.file.is_some() || sources.directory.is_some() {
        let named = [("SSL_CERT_FILE", &sources.file), ("SSL_CERT_DIR", &sources.directory)];
        let named: Vec<String> =
            named.iter().filter_map(|(name, path)| Some(format!("{name}={}", path.as_ref()?.display()))).collect();
        let loaded = rustls_native_certs::load_certs_from_paths(sources.file.as_deref(), sources.directory.as_deref());
        roots.add_parsable_certificates(loaded.certs);
        if roots.is_empty() {
            let why = loaded.errors.first().map_or_else(|| "no certificate found".to_owned(), ToString::to_string);
            return Err(format!("{} ({why})", named.join(", ")));
        }
        return Ok(roots);
    }
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

impl ServerCertVerifier for LayeredVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let check = |verifier: Arc<WebPkiServerVerifier>| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        if let Some(ca) = &self.sources.sandbox {
            return check(self.verifier(&self.sandbox, || from_file(ca))?);
        }
        if let Some(extra) = &self.sources.extra {
            match check(self.verifier(&self.extra, || from_file(extra))?) {
                Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {}
                other => return other,
            }
        }
        check(self.base(server_name)?)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for LayeredVerifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LayeredVerifier")
    }
}
