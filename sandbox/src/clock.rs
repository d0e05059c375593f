//! The sandbox's wall clock, read here and nowhere else.
//!
//! The world outside has its own clock; it never asks the server what time it is.

use chrono::{DateTime, Utc};

/// The instant now, in UTC.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place of the sandbox that reads the clock"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
