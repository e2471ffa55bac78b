//! Whom TLS trusts: extra roots first, the system's only when those do not know the issuer.
//!
//! Loading the system's store costs milliseconds, so it happens on the first certificate that needs it.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use federate_core::Env;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::reroute::CA_VARIABLE;
use crate::strangers::Strangers;

/// Trusted certificates that were named but cannot be used: the fault of the configuration, not of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RootsProblem {
    /// The variable or setting with its value: `SSL_CERT_FILE=/etc/ca.pem`.
    pub(crate) named: String,
    /// The setting's whole path, where a setting named them.
    pub(crate) setting: Option<&'static str>,
    /// What is wrong with the file.
    pub(crate) why: String,
}

impl fmt::Display for RootsProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} cannot be used: {}", self.named, self.why)
    }
}

impl std::error::Error for RootsProblem {}

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
    /// `SSL_CERT_DIR`, in place of the system's: a list as in `PATH`.
    pub(crate) directories: Vec<PathBuf>,
    /// In place of both for their hosts; besides them for loopback.
    pub(crate) bundles: Vec<HostBundle>,
    /// The sandbox's CA: the only one, where it is set.
    pub(crate) sandbox: Option<PathBuf>,
}

impl RootSources {
    pub(crate) fn from_env(env: &Env, extra: Option<&Path>, sandbox: Option<&Path>) -> Self {
        let directories = env.get("SSL_CERT_DIR").map(|list| std::env::split_paths(list).collect::<Vec<_>>());
        Self {
            extra: extra.map(Path::to_owned),
            file: env.get("SSL_CERT_FILE").map(PathBuf::from),
            directories: directories.into_iter().flatten().filter(|path| !path.as_os_str().is_empty()).collect(),
            bundles: Vec::new(),
            sandbox: sandbox.map(Path::to_owned),
        }
    }
}

impl RootSources {
    /// The stores that count for a host, in the order in which they are asked, as `NAME=PATH` or in words.
    pub(crate) fn shown_for(&self, host: &str) -> Vec<String> {
        let named = |name: &str, path: &Path| format!("{name}={}", path.display());
        if let Some(ca) = &self.sandbox {
            return vec![named(CA_VARIABLE, ca)];
        }
        let mut shown: Vec<String> = self.extra.iter().map(|path| named(CA_FILE, path)).collect();
        if let Some(bundle) = self.bundles.iter().find(|bundle| (bundle.is_for)(host)) {
            shown.push(named(bundle.variable, &bundle.file));
            return shown;
        }
        match (&self.file, self.directories.as_slice()) {
            (None, []) => shown.push("the system's certificates".to_owned()),
            (file, directories) => {
                shown.extend(file.iter().map(|path| named("SSL_CERT_FILE", path)));
                shown.extend(directories.iter().map(|path| named("SSL_CERT_DIR", path)));
            }
        }
        shown
    }

    /// Files that are named and cannot be used, whatever host they are for.
    pub(crate) fn problems(&self) -> Vec<RootsProblem> {
        let sandbox = self.sandbox.iter().map(|path| from_file(CA_VARIABLE, None, path));
        let extra = self.extra.iter().map(|path| from_file(CA_FILE, Some(CA_FILE_SETTING), path));
        let bundles = self.bundles.iter().map(|bundle| from_file(bundle.variable, None, &bundle.file));
        let system = (self.file.is_some() || !self.directories.is_empty()).then(|| system_roots(self));
        sandbox.chain(extra).chain(bundles).chain(system).filter_map(Result::err).collect()
    }
}

const CA_FILE: &str = "[network] ca_file";
const CA_FILE_SETTING: &str = "network.ca_file";

/// One store, loaded when it is first asked.
#[derive(Default)]
struct Layer(OnceLock<Result<Arc<WebPkiServerVerifier>, RootsProblem>>);

/// Verifies server certificates against the roots that count for the host.
pub(crate) struct LayeredVerifier {
    provider: Arc<CryptoProvider>,
    sources: RootSources,
    strangers: Strangers,
    sandbox: Layer,
    extra: Layer,
    bundles: Vec<Layer>,
    system: Layer,
}

impl LayeredVerifier {
    pub(crate) fn new(provider: Arc<CryptoProvider>, sources: RootSources, strangers: Strangers) -> Self {
        let bundles = sources.bundles.iter().map(|_| Layer::default()).collect();
        Self {
            provider,
            sources,
            strangers,
            bundles,
            sandbox: Layer::default(),
            extra: Layer::default(),
            system: Layer::default(),
        }
    }

    fn verifier(
        &self,
        layer: &Layer,
        load: impl FnOnce() -> Result<RootCertStore, RootsProblem>,
    ) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let loaded = layer.0.get_or_init(|| {
            let roots = Arc::new(load()?);
            WebPkiServerVerifier::builder_with_provider(roots, self.provider.clone()).build().map_err(|error| {
                RootsProblem { named: "the trusted certificates".to_owned(), setting: None, why: error.to_string() }
            })
        });
        loaded.clone().map_err(|problem| rustls::Error::Other(OtherError(Arc::new(problem))))
    }

    /// Asks one store after the other until one knows the issuer.
    fn verify(
        &self,
        server: &ServerName<'_>,
        check: impl Fn(&WebPkiServerVerifier) -> Result<ServerCertVerified, rustls::Error>,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(ca) = &self.sources.sandbox {
            return check(&*self.verifier(&self.sandbox, || from_file(CA_VARIABLE, None, ca))?);
        }
        if let Some(extra) = &self.sources.extra {
            let load = || from_file(CA_FILE, Some(CA_FILE_SETTING), extra);
            let answer = check(&*self.verifier(&self.extra, load)?);
            if !is_stranger(&answer) {
                return answer;
            }
        }
        let name = server.to_str().to_ascii_lowercase();
        for (bundle, layer) in self.sources.bundles.iter().zip(&self.bundles) {
            let own = (bundle.is_for)(&name);
            if !own && !is_loopback(server) {
                continue;
            }
            let answer = check(&*self.verifier(layer, || from_file(bundle.variable, None, &bundle.file))?);
            if own || !is_stranger(&answer) {
                return answer;
            }
        }
        check(&*self.verifier(&self.system, || system_roots(&self.sources))?)
    }
}

/// Is the issuer unknown to this store, or known by name alone (a renewed CA often keeps its name)?
fn is_stranger(answer: &Result<ServerCertVerified, rustls::Error>) -> bool {
    use CertificateError::{BadSignature, UnknownIssuer};
    matches!(answer, Err(rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature)))
}

fn is_loopback(server: &ServerName<'_>) -> bool {
    match server {
        ServerName::IpAddress(address) => IpAddr::from(*address).is_loopback(),
        other => other.to_str().eq_ignore_ascii_case("localhost"),
    }
}

fn from_file(variable: &str, setting: Option<&'static str>, path: &Path) -> Result<RootCertStore, RootsProblem> {
    let problem = |why: String| RootsProblem { named: format!("{variable}={}", path.display()), setting, why };
    let pem = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    // Stores in the field hold certificates that webpki cannot parse; the others still count.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() { Err(problem("it holds no PEM certificate".to_owned())) } else { Ok(roots) }
}

fn system_roots(sources: &RootSources) -> Result<RootCertStore, RootsProblem> {
    let mut roots = match &sources.file {
        Some(file) => from_file("SSL_CERT_FILE", None, file)?,
        None => RootCertStore::empty(),
    };
    let mut first_error = None;
    for directory in &sources.directories {
        let loaded = rustls_native_certs::load_certs_from_paths(None, Some(directory));
        roots.add_parsable_certificates(loaded.certs);
        first_error = first_error.or_else(|| loaded.errors.into_iter().next());
    }
    if roots.is_empty() && !sources.directories.is_empty() {
        let list: Vec<String> = sources.directories.iter().map(|path| path.display().to_string()).collect();
        let why = first_error.map_or_else(|| "it holds no PEM certificate".to_owned(), |error| error.to_string());
        return Err(RootsProblem { named: format!("SSL_CERT_DIR={}", list.join(":")), setting: None, why });
    }
    if roots.is_empty() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
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
        let answer = self.verify(server_name, |verifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        });
        if is_stranger(&answer) {
            // A proxy shows its own authority in the last certificate that it sends, or in the only one.
            self.strangers.remember(&server_name.to_str(), intermediates.last().unwrap_or(end_entity));
        }
        answer
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
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

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    /// A CA in a file of its own.
    struct Authority {
        issuer: CertifiedIssuer<'static, KeyPair>,
        directory: tempfile::TempDir,
    }

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
            Self { issuer, directory }
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join("ca.pem")
        }

        /// Is a certificate of this CA for this host accepted?
        fn accepted(&self, sources: &RootSources, host: &str) -> Result<(), String> {
            let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
            let leaf = params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            LayeredVerifier::new(provider, sources.clone(), Strangers::default())
                .verify_server_cert(leaf.der(), &[], &ServerName::try_from(host).unwrap(), &[], UnixTime::now())
                .map(|_| ())
                .map_err(|error| error.to_string())
        }
    }

    fn from_env(pairs: &[(&str, &Path)]) -> RootSources {
        RootSources::from_env(&pairs.iter().copied().collect(), None, None)
    }

    #[test]
    fn the_variables_replace_the_system_and_ca_file_adds() {
        let (named, extra) = (Authority::new(), Authority::new());
        let mut sources = from_env(&[("SSL_CERT_FILE", &named.file())]);
        assert_eq!(named.accepted(&sources, "sts.example.test"), Ok(()));
        assert!(extra.accepted(&sources, "sts.example.test").is_err(), "the same name does not make it the same CA");
        sources.extra = Some(extra.file());
        assert_eq!(named.accepted(&sources, "sts.example.test"), Ok(()));
        assert_eq!(extra.accepted(&sources, "sts.example.test"), Ok(()));
    }

    #[test]
    fn a_list_of_directories_counts_as_a_whole() {
        let (one, two) = (Authority::new(), Authority::new());
        let list = std::env::join_paths([one.directory.path(), two.directory.path()]).unwrap();
        let sources = from_env(&[("SSL_CERT_DIR", Path::new(&list))]);
        assert_eq!(one.accepted(&sources, "sts.example.test"), Ok(()));
        assert_eq!(two.accepted(&sources, "sts.example.test"), Ok(()));
    }

    #[test]
    fn a_bundle_counts_for_its_hosts_and_for_loopback_alone() {
        let (cloud, system) = (Authority::new(), Authority::new());
        let mut sources = from_env(&[("SSL_CERT_FILE", &system.file())]);
        sources.bundles.push(HostBundle {
            variable: "CLOUD_CA_BUNDLE",
            file: cloud.file(),
            is_for: |host| host.ends_with(".cloud.test"),
        });
        assert_eq!(cloud.accepted(&sources, "sts.cloud.test"), Ok(()));
        assert!(system.accepted(&sources, "sts.cloud.test").is_err(), "replaced for its hosts");
        assert!(cloud.accepted(&sources, "sts.example.test").is_err());
        assert_eq!(system.accepted(&sources, "sts.example.test"), Ok(()));
        assert_eq!(cloud.accepted(&sources, "127.0.0.1"), Ok(()));
        assert_eq!(system.accepted(&sources, "127.0.0.1"), Ok(()), "added for loopback");
    }

    #[test]
    fn the_sandbox_trusts_its_own_ca_alone() {
        let (sandbox, other) = (Authority::new(), Authority::new());
        let mut sources = from_env(&[("SSL_CERT_FILE", &other.file())]);
        sources.extra = Some(other.file());
        sources.sandbox = Some(sandbox.file());
        assert_eq!(sandbox.accepted(&sources, "127.0.0.1"), Ok(()));
        assert!(other.accepted(&sources, "127.0.0.1").is_err());
    }

    #[test]
    fn roots_that_cannot_be_used_name_variable_and_path() {
        let authority = Authority::new();
        let empty = authority.directory.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let text = empty.with_file_name("text.pem");
        std::fs::write(&text, "no certificate").unwrap();
        for (variable, path, why) in [
            ("SSL_CERT_FILE", Path::new("/nowhere/ca.pem"), "No such file"),
            ("SSL_CERT_FILE", &text, "no PEM certificate"),
            ("SSL_CERT_DIR", &empty, "no PEM certificate"),
        ] {
            let message = authority.accepted(&from_env(&[(variable, path)]), "sts.example.test").unwrap_err();
            assert!(message.contains(&format!("{variable}={}", path.display())), "{message}");
            assert!(message.contains(why), "{message}");
        }
    }

    #[test]
    fn a_stranger_is_refused_by_the_system() {
        let message = Authority::new().accepted(&RootSources::default(), "sts.example.test").unwrap_err();
        assert!(message.contains("UnknownIssuer"), "{message}");
    }
}
