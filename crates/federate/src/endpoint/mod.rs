//! A loopback endpoint for the credentials of all selected targets: the server, its checks and its routes. What it answers
//! is the clouds' affair.

pub(crate) mod client;
mod deadline;
mod gate;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use federate_core::{EndpointAddress, Error, Exchanged, Reporter as _, Secret, Session, TargetSource, codes};
use federate_http::{Limits, LoopbackServer, WhenFull};
use tokio::time::Instant;

use crate::child::{PRIVATE_FILE, Variables};
use crate::formats::random_hex;
use crate::private::PrivateDirectory;
use crate::report::Failure;
use crate::setup::Start;

pub(crate) use deadline::lines as deadlines;
pub(crate) use routes::{OWN, WHOAMI};

/// The child's own federate finds the endpoint by these.
pub(crate) const ADDRESS: &str = "FEDERATE_ENDPOINT";
/// See [`ADDRESS`].
pub(crate) const SECRET_FILE: &str = "FEDERATE_ENDPOINT_TOKEN_FILE";

/// SDKs ask seldom and briefly; whoever holds connections without asking is let go first.
const LIMITS: Limits =
    Limits { connections: 128, slow: Duration::from_secs(10), head: 8 * 1024, body: 0, when_full: WhenFull::CloseIdle };

/// An endpoint that is bound and answers while [`Endpoint::run`] is polled.
pub(crate) struct Endpoint {
    server: LoopbackServer,
    address: EndpointAddress,
    refreshing: Arc<federate_core::RefreshingSession>,
    routes: Arc<routes::Routes>,
}

impl Endpoint {
    /// Binds a free port of 127.0.0.1 for these targets, whose first credentials are there, and writes the secret into the
    /// private directory.
    pub(crate) async fn open(
        start: &Start,
        session: Arc<Session>,
        sources: &[Arc<dyn TargetSource>],
        exchanged: &[Exchanged],
        directory: &PrivateDirectory,
        isolate: bool,
    ) -> Result<Self, Failure> {
        let server = LoopbackServer::bind(0).await?;
        let secret = Secret::new(format!("{}{}", random_hex()?, random_hex()?));
        session.hide(&secret);
        let secret_file = directory.write("endpoint-token", &secret).map_err(|error| {
            Error::new(&PRIVATE_FILE, "the endpoint's token file cannot be written").with_cause(error.to_string())
        })?;
        let program = std::env::current_exe().map_err(|error| {
            Error::new(&codes::USAGE, "federate does not know where its own program is").with_cause(error.to_string())
        })?;
        let mut headers: Vec<&'static str> = vec!["authorization"];
        for cloud in exchanged.iter().filter_map(|one| start.registry.cloud(one.target.kind())) {
            headers.extend(cloud.secret_headers());
        }
        let gate = gate::Gate::new(server.address(), &secret, headers)?;
        let refreshing = Arc::new(federate_core::RefreshingSession::new(session, sources, exchanged.to_vec()));
        let routes = routes::Routes::new(gate, &refreshing, |kind| start.registry.cloud(kind), start.stderr);
        let address =
            EndpointAddress { origin: format!("http://{}", server.address()), secret, secret_file, program, isolate };
        start.stderr.detail(&format!("endpoint: answering at {}", address.origin));
        Ok(Self { server, address, refreshing, routes: Arc::new(routes) })
    }

    /// Where it is, for the clouds.
    pub(crate) fn address(&self) -> &EndpointAddress {
        &self.address
    }

    /// Tells a child's own federate where the endpoint is.
    pub(crate) fn announce(&self, variables: &mut Variables) {
        variables.set(ADDRESS, &self.address.origin);
        variables.set(SECRET_FILE, self.address.secret_file.as_os_str());
    }

    /// When somebody last asked.
    pub(crate) fn last_use(&self) -> Instant {
        self.routes.last_use()
    }

    /// Answers and renews until dropped.
    pub(crate) async fn run(&self) {
        tokio::join!(self.server.run(LIMITS, self.routes.clone()), self.refreshing.keep());
    }
}
