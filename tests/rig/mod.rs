//! What tests need that start whole processes: a PostgreSQL that may be killed, the world outside, server nodes, a
//! hospital's system and patients' browsers. Shared by several test binaries; it judges nothing.
#![allow(
    dead_code,
    reason = "each test binary that shares this rig uses another part of it"
)]

pub(crate) mod browser;
pub(crate) mod clock;
pub(crate) mod hospital;
pub(crate) mod node;
pub(crate) mod outside;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod world;

use std::time::{Duration, Instant};

/// Between two looks at a fact that gives no event.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits for a fact.
///
/// # Panics
/// With `what`, when it has not come within `limit`.
pub(crate) async fn until(what: &str, limit: Duration, fact: impl AsyncFnMut() -> bool) {
    assert!(comes(limit, fact).await, "not within {limit:?}: {what}");
}

/// Whether a fact comes within `limit`.
pub(crate) async fn comes(limit: Duration, mut fact: impl AsyncFnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if fact().await {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Seconds, for the limits of waits: ten times what a fact is expected to take, since other tests share the machine.
pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
