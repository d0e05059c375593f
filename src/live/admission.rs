//! How many sockets this node takes: fewer than it has descriptors for, and none while it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts sockets against a limit fixed at start-up.
pub(crate) struct Admission {
    open: AtomicUsize,
    limit: usize,
    closed: AtomicBool,
}

/// One admitted socket; frees its place when dropped.
pub(crate) struct Seat(Arc<Admission>);

impl Admission {
    /// At most `max_sockets`, and `spare` descriptors fewer than the process may open.
    pub(crate) fn new(max_sockets: usize, spare: usize) -> Arc<Self> {
        let limit = max_sockets.min(descriptors().saturating_sub(spare));
        Arc::new(Self {
            open: AtomicUsize::new(0),
            limit,
            closed: AtomicBool::new(false),
        })
    }

    /// A place for one more socket, or nothing.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Seat> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let taken = self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < self.limit).then_some(open + 1)
            });
        taken.ok().map(|_| Seat(Arc::clone(self)))
    }

    /// Whether a ticket asked for now would find room.
    pub(crate) fn has_room(&self) -> bool {
        !self.closed.load(Ordering::Relaxed) && self.open.load(Ordering::Relaxed) < self.limit
    }

    /// Takes nobody any more.
    pub(crate) fn shut(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Sockets held now, identified or not.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Sockets held at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The soft limit of this process; unlimited counts as a million.
fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit
        .current
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_node_admits_nobody_until_somebody_leaves() {
        let admission = Admission::new(2, 0);
        let first = admission.admit().expect("room for one");
        let _second = admission.admit().expect("room for two");
        assert!(admission.admit().is_none() && !admission.has_room());
        drop(first);
        assert!(admission.admit().is_some());
    }

    #[test]
    fn a_stopping_node_admits_nobody() {
        let admission = Admission::new(2, 0);
        admission.shut();
        assert!(admission.admit().is_none() && !admission.has_room());
    }

    #[test]
    fn descriptors_kept_for_pages_are_not_given_to_sockets() {
        assert_eq!(Admission::new(10, usize::MAX).limit(), 0);
        assert!(Admission::new(usize::MAX, 100).limit() + 100 <= descriptors().max(100));
    }
}
