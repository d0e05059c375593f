//! What was sent, what was acknowledged, what arrived. The judge of the test; it knows nothing of the server's tables.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use uuid::Uuid;

/// Locks spread over so many parts: frames and answers arrive on every core.
const PARTS: usize = 64;

/// One letter, as seen from outside.
#[derive(Default)]
struct Entry {
    /// The patient it was acknowledged for, with when it should have been sent and when it was.
    acknowledged: Option<(usize, Instant, Instant)>,
    /// The patient whose browser got it first, and when.
    arrived: Option<(usize, Instant)>,
}

/// Counts that need no lock.
#[derive(Default)]
pub(crate) struct Counts {
    pub acknowledged: AtomicU64,
    pub arrived: AtomicU64,
    pub refused: AtomicU64,
    pub unanswered: AtomicU64,
    /// Requests not even sent, because too many were unanswered.
    pub overload: AtomicU64,
    pub duplicates: AtomicU64,
    /// Frames whose number did not follow the one before.
    pub disorder: AtomicU64,
    /// Frames for another patient than the letter's.
    pub misdelivered: AtomicU64,
    pub reconnects: AtomicU64,
    pub resets: AtomicU64,
}

/// Shared by everybody who sends or receives.
pub(crate) struct Ledger {
    parts: Vec<Mutex<HashMap<Uuid, Entry>>>,
    pub counts: Counts,
}

/// What the ledger says at the end. Durations in microseconds.
pub(crate) struct Verdict {
    pub lost: u64,
    /// From when a letter should have been sent to its frame: a late start counts.
    pub due_to_frame: Histogram<u64>,
    /// From when its request was sent to its frame.
    pub sent_to_frame: Histogram<u64>,
}

impl Ledger {
    pub(crate) fn new(patients: usize) -> Arc<Self> {
        let per_part = patients / PARTS + 16;
        let parts = (0..PARTS)
            .map(|_| Mutex::new(HashMap::with_capacity(per_part)))
            .collect();
        Arc::new(Self {
            parts,
            counts: Counts::default(),
        })
    }

    /// The server answered 200 or 201 for this letter.
    pub(crate) fn acknowledged(&self, letter: Uuid, patient: usize, due: Instant, sent: Instant) {
        self.counts.acknowledged.fetch_add(1, Ordering::Relaxed);
        let mut part = self.part(letter);
        let entry = part.entry(letter).or_default();
        entry.acknowledged = Some((patient, due, sent));
        self.compare(entry);
    }

    /// A frame named this letter in the mailbox of `patient`.
    pub(crate) fn arrived(&self, letter: Uuid, patient: usize, at: Instant) {
        let mut part = self.part(letter);
        let entry = part.entry(letter).or_default();
        if entry.arrived.is_some() {
            self.counts.duplicates.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.counts.arrived.fetch_add(1, Ordering::Relaxed);
        entry.arrived = Some((patient, at));
        self.compare(entry);
    }

    fn compare(&self, entry: &Entry) {
        if let (Some((theirs, ..)), Some((got, _))) = (entry.acknowledged, entry.arrived)
            && theirs != got
        {
            self.counts.misdelivered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything acknowledged has arrived, at most `most`.
    pub(crate) async fn settle(&self, most: Duration) {
        let until = Instant::now() + most;
        while self.lost() > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn lost(&self) -> u64 {
        self.fold(0, |lost, entry| {
            lost + u64::from(entry.acknowledged.is_some() && entry.arrived.is_none())
        })
    }

    /// Adds everything up.
    pub(crate) fn verdict(&self) -> Verdict {
        let verdict = Verdict {
            lost: 0,
            due_to_frame: histogram(),
            sent_to_frame: histogram(),
        };
        self.fold(verdict, |mut verdict, entry| {
            match (entry.acknowledged, entry.arrived) {
                (Some((_, due, sent)), Some((_, at))) => {
                    verdict
                        .due_to_frame
                        .saturating_record(micros(at.saturating_duration_since(due)));
                    verdict
                        .sent_to_frame
                        .saturating_record(micros(at.saturating_duration_since(sent)));
                }
                (Some(_), None) => verdict.lost += 1,
                _ => {}
            }
            verdict
        })
    }

    fn fold<T>(&self, start: T, mut step: impl FnMut(T, &Entry) -> T) -> T {
        self.parts.iter().fold(start, |sum, part| {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.values().fold(sum, &mut step)
        })
    }

    fn part(&self, letter: Uuid) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        // The last byte of a UUIDv7 is random.
        let index = usize::from(letter.as_bytes()[15]) % PARTS;
        self.parts[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// 1 µs to 10 minutes at three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are constants that fit")
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_and_never_arrived_is_lost() {
        let ledger = Ledger::new(2);
        let (first, second, now) = (Uuid::from_u128(1), Uuid::from_u128(2), Instant::now());
        ledger.arrived(first, 0, now + Duration::from_millis(3));
        ledger.acknowledged(first, 0, now, now + Duration::from_millis(1));
        ledger.acknowledged(second, 1, now, now);
        let verdict = ledger.verdict();
        assert_eq!((verdict.lost, verdict.due_to_frame.len()), (1, 1));
        assert!(
            verdict.due_to_frame.max() > verdict.sent_to_frame.max(),
            "a late start counts"
        );
    }

    #[test]
    fn a_second_arrival_is_a_duplicate_and_a_wrong_mailbox_is_told() {
        let ledger = Ledger::new(2);
        let (letter, now) = (Uuid::from_u128(1), Instant::now());
        ledger.arrived(letter, 0, now);
        ledger.arrived(letter, 0, now);
        ledger.acknowledged(letter, 1, now, now);
        assert_eq!(ledger.counts.duplicates.load(Ordering::Relaxed), 1);
        assert_eq!(ledger.counts.misdelivered.load(Ordering::Relaxed), 1);
    }
}
