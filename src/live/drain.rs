//! How a node lets its sessions go: each in a slot of its own, so that the others take them in one by one.

use std::time::Duration;

use rand::seq::SliceRandom as _;

use super::Live;
use super::close::Ending;

/// How often the leaving ones are looked at.
const STEP: Duration = Duration::from_millis(50);

/// What was left when the drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Sessions told to go.
    pub told: usize,
    /// Sockets still open at the deadline.
    pub left: usize,
}

impl Live {
    /// Takes nobody new, tells every session its slot, closes each in its slot (4101) and waits for them to go.
    ///
    /// Slots are spread evenly over [`drain_over`](super::limits::Limits::drain_over), in random order; a session
    /// is served until its slot comes. Returns when all have gone, at the latest after `deadline`.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        self.admission.shut();
        let began = tokio::time::Instant::now();
        let over = self.limits.drain_over.min(deadline);
        let mut leaving = self.registry.all();
        leaving.shuffle(&mut rand::rng());
        let told = leaving.len();
        let slot_of = |rank: usize| over.mul_f64((rank + 1) as f64 / told.max(1) as f64);
        for (rank, gate) in leaving.iter().enumerate() {
            gate.drain(slot_of(rank));
        }
        tracing::info!(
            sessions = told,
            over_ms = over.as_millis(),
            "live.drain_began"
        );
        let mut next = 0;
        while began.elapsed() < deadline && (next < told || self.admission.open() > 0) {
            while next < told && slot_of(next) <= began.elapsed() {
                leaving[next].close(Ending::Drained);
                next += 1;
            }
            tokio::time::sleep(STEP).await;
        }
        let left = self.admission.open();
        tracing::info!(told, left, "live.drain_ended");
        Drained { told, left }
    }
}
