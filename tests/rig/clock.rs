//! The clients' wall clock: the one that the sandbox's journal is written by, too.

use chrono::{DateTime, Utc};

/// Now, as a client on this machine sees it.
#[expect(
    clippy::disallowed_methods,
    reason = "clients and judges of process tests live in real time; this is their one look at the clock"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
