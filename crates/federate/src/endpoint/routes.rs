//! From a path to a target, and from a target to its cloud's answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use federate_core::endpoint::segment;
use federate_core::{
    Cloud, Context, EndpointReply, EndpointRequest, KeptTarget, RefreshingSession, Reporter as _, ServedTarget as _,
};
use federate_http::{Answer, Handler, Incoming};
use serde_json::json;
use tokio::time::Instant;

use super::gate::{Gate, Refused};
use crate::report::Stderr;

/// What is answered for anyone, so that others can wait until the endpoint is there.
const HEALTH: &str = "/healthz";
/// What federate itself asks: no adapter has a name that begins so.
pub(crate) const OWN: &str = "-";
/// Who the target's credentials are.
pub(crate) const WHOAMI: &str = "whoami";

/// A target and the cloud that speaks for it.
struct Route {
    cloud: &'static dyn Cloud,
    target: Arc<KeptTarget>,
}

/// Answers requests.
pub(crate) struct Routes {
    gate: Gate,
    targets: HashMap<String, Arc<Route>>,
    context: Context,
    stderr: Stderr,
    last_use: Mutex<Instant>,
}

impl Routes {
    /// Routes to every target whose cloud `cloud_of` knows.
    pub(crate) fn new(
        gate: Gate,
        refreshing: &RefreshingSession,
        cloud_of: impl Fn(&str) -> Option<&'static dyn Cloud>,
        stderr: Stderr,
    ) -> Self {
        let targets = refreshing
            .targets()
            .iter()
            .filter_map(|target| {
                let route = Route { cloud: cloud_of(target.kind())?, target: target.clone() };
                Some((segment(target.name()), Arc::new(route)))
            })
            .collect();
        let context = refreshing.session().context().clone();
        Self { gate, targets, context, stderr, last_use: Mutex::new(Instant::now()) }
    }

    /// When somebody who knew the secret last asked; at first, when the endpoint was opened.
    pub(crate) fn last_use(&self) -> Instant {
        *self.last_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reply(&self, request: &Incoming) -> Result<Answer, Refused> {
        self.gate.shape(request)?;
        if request.path == HEALTH {
            return Ok(Answer::json(200, &json!({ "status": "ok" })));
        }
        self.gate.secret(request)?;
        *self.last_use.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let nothing = Refused { status: 404, why: "there is nothing at this path" };
        let mut parts = request.path.splitn(4, '/').skip(1);
        let (Some(kind), Some(name), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(nothing);
        };
        let route = self.targets.get(name).ok_or(nothing)?.clone();
        let asked = EndpointRequest { path: path.to_owned(), query: request.query.clone() };
        let context = self.context.clone();
        // Goes on where the client gives up: the next one finds what came of it.
        let answered = if kind == OWN && path == WHOAMI {
            tokio::spawn(async move { whoami(&context, &route.target).await })
        } else if kind == route.target.kind() {
            tokio::spawn(async move { route.cloud.answer(route.target.as_ref(), &asked).await })
        } else {
            return Err(nothing);
        };
        match answered.await {
            Ok(reply) => Ok(Answer::text(reply.status, "application/json; charset=utf-8", reply.body.reveal())),
            Err(_) => Err(Refused { status: 500, why: "the endpoint failed" }),
        }
    }
}

async fn whoami(context: &Context, target: &KeptTarget) -> EndpointReply {
    let outcome = match target.credentials().await {
        Ok(one) => one.target.whoami(&context.begin_exchange(), &one.credentials).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(principal) => EndpointReply::ok(&json!({ "principal": principal.headline, "facts": principal.facts })),
        Err(error) => EndpointReply::new(503, &json!({ "message": error.to_string() })),
    }
}

#[async_trait]
impl Handler for Routes {
    async fn handle(&self, request: Incoming) -> Answer {
        let answer = self.reply(&request).await.unwrap_or_else(|refused| {
            let answer = Answer::json(refused.status, &json!({ "message": refused.why }));
            match refused.status {
                401 => answer.with_header("www-authenticate", "Bearer"),
                405 => answer.with_header("allow", "GET"),
                _ => answer,
            }
        });
        self.stderr.detail(&format!("endpoint: {} {}: {}", request.method, request.path, answer.status));
        answer.with_header("cache-control", "no-store").with_header("x-content-type-options", "nosniff")
    }
}
