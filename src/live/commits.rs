//! When this node's own commits returned, for the one figure that patients feel: commit to socket.
//!
//! A fixed ring: a figure may be missing when thousands of events pass between, a letter never depends on it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use letterbox_domain::id::EventId;

/// 4,096 events are four seconds at a thousand a second; deliveries take milliseconds.
const KEPT: usize = 4_096;

/// The last commits.
pub struct Commits {
    ring: Mutex<Vec<Option<(EventId, Instant)>>>,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            ring: Mutex::new(vec![None; KEPT]),
        }
    }
}

impl Commits {
    /// These events' COMMIT has just returned.
    pub fn note(&self, events: impl Iterator<Item = EventId>) {
        let now = Instant::now();
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            ring[place(event)] = Some((event, now));
        }
    }

    /// How long ago this event's COMMIT returned, if that was here and lately.
    #[must_use]
    pub fn age(&self, event: EventId) -> Option<Duration> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring[place(event)]
            .filter(|(noted, _)| *noted == event)
            .map(|(_, at)| at.elapsed())
    }
}

fn place(event: EventId) -> usize {
    // The low bits of a version 7 id are random.
    (event.as_uuid().as_u128() % KEPT as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_committed_here_has_an_age() {
        let commits = Commits::default();
        let event = EventId::random();
        commits.note(std::iter::once(event));
        assert!(commits.age(event).is_some());
        assert!(commits.age(EventId::random()).is_none());
    }
}
