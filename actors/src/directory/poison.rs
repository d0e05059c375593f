//! Mailboxes that crash again and again are set aside: their patients use the pages, everybody else is safe.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use letterbox_domain::id::PatientId;

/// Panics per mailbox in the last window. Small: only what crashed is in it.
pub(crate) struct Poison {
    panics: usize,
    window: Duration,
    seen: Mutex<HashMap<PatientId, Vec<Duration>>>,
}

impl Poison {
    pub(crate) fn new(panics: usize, window: Duration) -> Self {
        Self {
            panics,
            window,
            seen: Mutex::default(),
        }
    }

    /// Notes a panic; answers whether the mailbox is set aside by it.
    pub(crate) fn panicked(&self, patient: PatientId, now: Duration) -> bool {
        let mut seen = self.lock();
        let times = seen.entry(patient).or_default();
        times.push(now);
        times.retain(|at| now.saturating_sub(*at) < self.window);
        times.len() >= self.panics
    }

    /// Set aside until a window has passed since enough of its panics.
    pub(crate) fn is_set_aside(&self, patient: PatientId, now: Duration) -> bool {
        let mut seen = self.lock();
        let Some(times) = seen.get_mut(&patient) else {
            return false;
        };
        times.retain(|at| now.saturating_sub(*at) < self.window);
        let enough = times.len() >= self.panics;
        if times.is_empty() {
            seen.remove(&patient);
        }
        enough
    }

    /// How many mailboxes are set aside; also forgets those whose window has passed.
    pub(crate) fn count(&self, now: Duration) -> usize {
        let mut seen = self.lock();
        seen.retain(|_, times| {
            times.retain(|at| now.saturating_sub(*at) < self.window);
            !times.is_empty()
        });
        seen.values()
            .filter(|times| times.len() >= self.panics)
            .count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PatientId, Vec<Duration>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_panics_in_the_window_set_a_mailbox_aside_until_it_has_passed() {
        let poison = Poison::new(3, Duration::from_secs(600));
        let (bad, good) = (PatientId::random(), PatientId::random());
        let at = Duration::from_secs;
        assert!(!poison.panicked(bad, at(1)));
        assert!(!poison.panicked(bad, at(2)));
        assert!(poison.panicked(bad, at(3)));
        assert!(poison.is_set_aside(bad, at(600)) && !poison.is_set_aside(good, at(600)));
        assert_eq!(poison.count(at(600)), 1);
        assert!(
            !poison.is_set_aside(bad, at(601)),
            "the first panic is out of the window"
        );
    }

    #[test]
    fn panics_far_apart_set_nothing_aside() {
        let poison = Poison::new(3, Duration::from_secs(600));
        let patient = PatientId::random();
        for hour in 1..10 {
            assert!(!poison.panicked(patient, Duration::from_secs(3_600 * hour)));
        }
    }
}
