//! A clock that stands still until a test moves it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;

/// Civil time moves only by [`MovableClock::pass`]; uptime moves by that and by real time, so that polls turn.
#[derive(Debug)]
pub struct MovableClock {
    start: DateTime<Utc>,
    origin: Instant,
    passed_millis: AtomicU64,
}

impl MovableClock {
    #[must_use]
    pub fn at(start: DateTime<Utc>) -> Self {
        Self {
            start,
            origin: Instant::now(),
            passed_millis: AtomicU64::new(0),
        }
    }

    /// Moves both kinds of time on.
    pub fn pass(&self, by: Duration) {
        self.passed_millis.fetch_add(
            u64::try_from(by.as_millis()).unwrap_or(u64::MAX),
            Ordering::AcqRel,
        );
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(self.passed_millis.load(Ordering::Acquire))
    }
}

impl Clock for MovableClock {
    fn now(&self) -> DateTime<Utc> {
        self.start + TimeDelta::from_std(self.passed()).unwrap_or(TimeDelta::zero())
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(1) + self.origin.elapsed() + self.passed()
    }
}
