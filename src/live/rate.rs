//! How often one peer may speak: a leaky bucket in eight bytes, because there is one in every session.

use std::time::{Duration, Instant};

/// Lets `per_second` messages through on average and `burst` at once (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// When the bucket will be empty again, as milliseconds since `Rate::origin` of the caller.
    empty_at_ms: u32,
}

/// The shape of a bucket, shared by all sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateLimit {
    interval_ms: u32,
    depth_ms: u32,
}

impl RateLimit {
    /// `per_second` is at least 1 and at most 1,000: finer steps than a millisecond are not kept.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval_ms = 1_000 / per_second.clamp(1, 1_000);
        Self {
            interval_ms,
            depth_ms: interval_ms.saturating_mul(burst.max(1)),
        }
    }
}

impl Rate {
    pub(super) const fn new() -> Self {
        Self { empty_at_ms: 0 }
    }

    /// Takes one message; false when there were too many. `since_start` wraps after 49 days, which ends sessions first.
    pub(super) fn takes(&mut self, limit: RateLimit, since_start: Duration) -> bool {
        let now = u32::try_from(since_start.as_millis()).unwrap_or(u32::MAX);
        let full_at = self.empty_at_ms.max(now).saturating_add(limit.interval_ms);
        if full_at - now > limit.depth_ms {
            return false;
        }
        self.empty_at_ms = full_at;
        true
    }
}

/// Lets one through each second and counts the rest: for log lines that an attacker could multiply.
#[derive(Debug)]
pub(crate) struct OncePerSecond {
    state: std::sync::Mutex<(Option<Instant>, u64)>,
}

impl OncePerSecond {
    pub(crate) const fn new() -> Self {
        Self {
            state: std::sync::Mutex::new((None, 0)),
        }
    }

    /// `Some(n)` when a line may be written, standing for itself and `n` that were not.
    pub(crate) fn pass(&self) -> Option<u64> {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        if state
            .0
            .is_some_and(|last| now.duration_since(last) < Duration::from_secs(1))
        {
            state.1 += 1;
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_the_next_one_does_not() {
        let limit = RateLimit::new(10, 30);
        let mut rate = Rate::new();
        assert!((0..30).all(|_| rate.takes(limit, at(5))));
        assert!(!rate.takes(limit, at(5)));
        assert!(
            rate.takes(limit, at(110)),
            "a tenth of a second gives one back"
        );
        assert!(!rate.takes(limit, at(110)));
    }

    #[test]
    fn a_steady_speaker_is_never_stopped() {
        let limit = RateLimit::new(10, 30);
        let mut rate = Rate::new();
        assert!((0..10_000).all(|n| rate.takes(limit, at(n * 100))));
    }
}
