//! How many connections a server has at once, and which of them goes when another one comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

/// What a server puts up with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most connections at once.
    pub connections: usize,
    /// The longest that a client may take for the head of a request, and for its body; so long a connection may be idle.
    pub slow: Duration,
    /// The most bytes of a request's line and headers, 8 KiB at least; more is answered with 431.
    pub head: usize,
    /// The most bytes of a body; more is answered with 413.
    pub body: usize,
    /// What happens to a client that comes when all connections are taken.
    pub when_full: WhenFull,
}

/// See [`Limits::when_full`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits until another one leaves.
    Wait,
    /// A connection that waits for its client is closed: first one that never brought a request, the oldest before others.
    /// Whoever holds connections without using them keeps nobody else out.
    CloseIdle,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            slow: Duration::from_secs(10),
            head: 64 * 1024,
            body: 1024 * 1024,
            when_full: WhenFull::Wait,
        }
    }
}

/// What is known of one connection.
#[derive(Debug, Default)]
pub(crate) struct Use {
    under_way: AtomicUsize,
    has_served: AtomicBool,
}

impl Use {
    /// A whole request is there, and is being answered until the guard goes.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.has_served.store(true, Ordering::Relaxed);
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }
}

/// See [`Use::begin`].
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Use>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connections of a server, in the order in which they came; they end with it.
#[derive(Debug)]
pub(crate) struct Connections {
    limits: Limits,
    tasks: JoinSet<()>,
    open: Vec<(AbortHandle, Arc<Use>)>,
}

impl Connections {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, tasks: JoinSet::new(), open: Vec::new() }
    }

    fn forget_ended(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        self.open.retain(|(task, _)| !task.is_finished());
    }

    /// Returns when there is room for one more.
    pub(crate) async fn room(&mut self) {
        // A connection can become idle without ending.
        const LOOK_AGAIN: Duration = Duration::from_millis(20);
        loop {
            self.forget_ended();
            if self.open.len() < self.limits.connections {
                return;
            }
            if self.limits.when_full == WhenFull::CloseIdle && self.close_one() {
                return;
            }
            let ended = self.tasks.join_next();
            match self.limits.when_full {
                WhenFull::Wait => drop(ended.await),
                WhenFull::CloseIdle => drop(tokio::time::timeout(LOOK_AGAIN, ended).await),
            }
        }
    }

    fn close_one(&mut self) -> bool {
        let idle = self.open.iter().enumerate().filter(|(_, (_, used))| used.is_idle());
        let first = idle.min_by_key(|(index, (_, used))| (used.has_served.load(Ordering::Relaxed), *index));
        let Some((index, _)) = first else { return false };
        let (task, _) = self.open.remove(index);
        task.abort();
        true
    }

    /// Adds a connection; `serve` is given its use.
    pub(crate) fn add<F: Future<Output = ()> + Send + 'static>(&mut self, serve: impl FnOnce(Arc<Use>) -> F) {
        let used = Arc::new(Use::default());
        let task = self.tasks.spawn(serve(used.clone()));
        self.open.push((task, used));
    }
}
