//! Receipts of all sessions, stored many at a time. A browser keeps each until it is told `rxok`, so any may be
//! dropped here: it comes again. A receipt says "shown" and nothing more; it never opens a letter.

use std::sync::Arc;
use std::time::Duration;

use letterbox_domain::id::{AccountId, EventId};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::gate::Gate;
use super::measures;
use crate::store::{Shown, Store};

/// Receipts waiting to be stored: four seconds' worth at a thousand a second. More are dropped and come again.
const WAITING: usize = 4_096;
/// Stored in one statement.
const BATCH: usize = 500;
/// After a failure, so that a database that is away is not asked in a loop.
const PAUSE: Duration = Duration::from_millis(500);

/// Takes receipts without waiting.
#[derive(Clone)]
pub(super) struct Desk(mpsc::Sender<Handed>);

struct Handed {
    receipt: Shown,
    gate: Arc<Gate>,
}

impl Desk {
    /// Starts the one task that stores; it ends when the last desk is dropped.
    pub(super) fn open(store: Store) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        actix_rt::spawn(store_all(store, receiver));
        Self(sender)
    }

    /// Hands a receipt in; false when the desk is full and it was dropped.
    pub(super) fn hand_in(
        &self,
        gate: &Arc<Gate>,
        account: AccountId,
        id: Uuid,
        event: EventId,
    ) -> bool {
        let receipt = Shown { id, event, account };
        let gate = Arc::clone(gate);
        self.0.try_send(Handed { receipt, gate }).is_ok()
    }
}

async fn store_all(store: Store, mut waiting: mpsc::Receiver<Handed>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let receipts: Vec<Shown> = batch.iter().map(|handed| handed.receipt).collect();
        match store.record_shown(&receipts).await {
            Ok(()) => {
                for handed in &batch {
                    handed.gate.receipt_done(handed.receipt.id);
                }
                count("stored", batch.len());
            }
            Err(error) => {
                tracing::warn!(%error, receipts = batch.len(), "receipts.not_stored");
                count("dropped", batch.len());
                tokio::time::sleep(PAUSE).await;
            }
        }
        batch.clear();
    }
}

fn count(outcome: &'static str, receipts: usize) {
    metrics::counter!(measures::RECEIPTS, "outcome" => outcome).increment(receipts as u64);
}
