//! How long this node may go on believing what it last heard about grants.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::clock::Clock;

/// A lease on every grant of the node, counted from the *start* of the last completed comparison.
///
/// Grants read after the process started are as fresh as a comparison, so the first span runs from there.
#[derive(Clone)]
pub(crate) struct Lease {
    clock: Arc<dyn Clock>,
    span: Duration,
    from: Arc<AtomicU64>, // milliseconds of uptime
}

impl Lease {
    pub(crate) fn new(clock: Arc<dyn Clock>, span: Duration) -> Self {
        let from = Arc::new(AtomicU64::new(millis(clock.uptime())));
        Self { clock, span, from }
    }

    pub(crate) fn renew(&self, from: Duration) {
        self.from.fetch_max(millis(from), Ordering::AcqRel);
    }

    pub(crate) fn holds(&self) -> bool {
        let from = Duration::from_millis(self.from.load(Ordering::Acquire));
        self.clock.uptime().saturating_sub(from) < self.span
    }
}

fn millis(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX)
}
