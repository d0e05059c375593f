//! The only reader of clocks in the workspace. Everything else is handed an instant, or one of these.
//!
//! Deadlines never come from here: they are the database's. This clock times leases and polls (monotonic)
//! and tells the caretaker what minute it is (UTC).

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Tells the time of this process.
pub trait Clock: Send + Sync + 'static {
    /// Civil time by this machine's clock, which may jump; never good enough for a patient's deadline.
    fn now(&self) -> DateTime<Utc>;

    /// Time since some fixed instant before the process did anything; never goes back, never jumps.
    fn uptime(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose uptime starts now, one second in, so that "one second ago" always exists.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that reads the clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn uptime(&self) -> Duration {
        self.origin.elapsed() + Duration::from_secs(1)
    }
}
