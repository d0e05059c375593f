//! When each background loop last completed or failed an attempt: the truth behind `/health/live`.
//!
//! A process whose port is open but whose loops stand still is dead; one whose attempts fail is alive and
//! says so. Nothing here asks the database.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{clock::Clock, measures};

/// The loops of one node, in the order in which they registered.
#[derive(Clone)]
pub struct Health {
    clock: Arc<dyn Clock>,
    pulses: Arc<Mutex<Vec<Arc<Pulse>>>>,
}

/// One loop's record. Kept when the loop's actor is replaced, so that a crash does not look like youth.
#[derive(Debug)]
pub(crate) struct Pulse {
    name: String,
    registered: Duration,
    completed: AtomicU64, // milliseconds of uptime; 0 = never
    failed: AtomicU64,
    failures_in_a_row: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// What one loop can say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopHealth {
    /// `directory`, `supervisor:<trust>`, `dispatcher:email`, `press`, `caretaker`, `board`.
    pub name: String,
    /// Since the last attempt that went well.
    pub completed_ago: Option<Duration>,
    /// Since the last attempt that did not.
    pub failed_ago: Option<Duration>,
    /// Since the last attempt of either kind; since registration where there was none.
    pub silent_for: Duration,
    pub failures_in_a_row: u64,
    /// The last failure's text, if the last attempt failed.
    pub error: Option<String>,
}

impl Health {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            pulses: Arc::default(),
        }
    }

    /// Every loop as it stands.
    #[must_use]
    pub fn loops(&self) -> Vec<LoopHealth> {
        let now = self.clock.uptime();
        self.lock().iter().map(|pulse| pulse.read(now)).collect()
    }

    /// Whether every loop has completed or failed an attempt within `bound` (60 s for `/health/live`).
    #[must_use]
    pub fn alive(&self, bound: Duration) -> bool {
        self.loops().iter().all(|each| each.silent_for <= bound)
    }

    /// The record of the loop with this name, made when it first asks.
    pub(crate) fn pulse(&self, name: &str) -> Arc<Pulse> {
        let mut pulses = self.lock();
        if let Some(known) = pulses.iter().find(|pulse| pulse.name == name) {
            return Arc::clone(known);
        }
        let pulse = Arc::new(Pulse {
            name: name.to_owned(),
            registered: self.clock.uptime(),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failures_in_a_row: AtomicU64::new(0),
            last_error: Mutex::new(None),
        });
        pulses.push(Arc::clone(&pulse));
        pulse
    }

    /// A loop that ended on purpose (its trust is gone, or the node drains) no longer counts.
    pub(crate) fn forget(&self, name: &str) {
        self.lock().retain(|pulse| pulse.name != name);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Pulse>>> {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pulse {
    pub(crate) fn completed(&self, uptime: Duration) {
        self.completed.store(millis(uptime), Ordering::Relaxed);
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        *self.error() = None;
    }

    /// Notes the failure, logs it once with its chain, and answers how many there were in a row.
    pub(crate) fn failed(&self, uptime: Duration, error: &dyn std::error::Error) -> u64 {
        let text = chain(error);
        tracing::warn!(name = %self.name, error = %text, "loop.failed");
        metrics::counter!(measures::LOOP_FAILURES, "loop" => self.name.clone()).increment(1);
        self.failed.store(millis(uptime), Ordering::Relaxed);
        *self.error() = Some(text);
        self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn read(&self, now: Duration) -> LoopHealth {
        let completed = instant(self.completed.load(Ordering::Relaxed));
        let failed = instant(self.failed.load(Ordering::Relaxed));
        let last = completed.max(failed).unwrap_or(self.registered);
        LoopHealth {
            name: self.name.clone(),
            completed_ago: completed.map(|at| now.saturating_sub(at)),
            failed_ago: failed.map(|at| now.saturating_sub(at)),
            silent_for: now.saturating_sub(last),
            failures_in_a_row: self.failures_in_a_row.load(Ordering::Relaxed),
            error: self.error().clone(),
        }
    }

    fn error(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets one in a second through: what fails for everybody at once is worth one line, not ten thousand.
#[derive(Debug, Default)]
pub(crate) struct Seldom(AtomicU64);

impl Seldom {
    pub(crate) fn now(&self, uptime: Duration) -> bool {
        let second = uptime.as_secs();
        self.0.swap(second, Ordering::Relaxed) != second
    }
}

/// An error with its sources, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

fn millis(uptime: Duration) -> u64 {
    u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn instant(millis: u64) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis))
}
