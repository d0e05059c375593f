//! Single letters of one trust that arrive together are written together: a commit's cost is shared, and nobody
//! waits for company. The queue is bounded; when it is full the caller is told to come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use letterbox_domain::id::TrustId;
use tokio::sync::{mpsc, oneshot};

use super::forms::NewLetter;
use super::publish_letters::{MOST, PublishResult, publish_letters};
use super::{Bells, CommandError, TrustSystem};
use crate::store::{Store, StoreError};

/// What waits in a lane: a letter and who wants to know.
struct Waiting {
    sender: TrustSystem,
    letter: NewLetter,
    answer: oneshot::Sender<Result<PublishResult, LaneError>>,
}

/// Why a letter was not even tried, or what the store said.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LaneError {
    /// As many letters wait as are allowed to: come back in a second.
    #[error("the intake queue is full")]
    Full,
    /// Nothing was done, or it cannot be told: the same letter may be sent again.
    #[error("the letter could not be stored: {0}")]
    Unavailable(Arc<CommandError>),
}

/// The lanes of all trusts, each one transaction at a time.
#[derive(Clone)]
pub struct IntakeLane {
    store: Store,
    bells: Arc<dyn Bells>,
    /// Most letters that may wait in one trust's lane.
    queue_letters: usize,
    lanes: Arc<Mutex<HashMap<TrustId, mpsc::Sender<Waiting>>>>,
}

impl IntakeLane {
    /// Lanes that hold at most `queue_letters` waiting letters each, and ring `bells` after each commit.
    #[must_use]
    pub fn new(store: Store, bells: Arc<dyn Bells>, queue_letters: usize) -> Self {
        Self {
            store,
            bells,
            queue_letters: queue_letters.max(1),
            lanes: Arc::default(),
        }
    }

    /// Publishes one letter, together with whatever else of its trust is waiting.
    ///
    /// # Errors
    /// [`LaneError::Full`] at once when the queue is full; [`LaneError::Unavailable`] when the store could not.
    pub async fn publish(
        &self,
        sender: TrustSystem,
        letter: NewLetter,
    ) -> Result<PublishResult, LaneError> {
        let (answer, heard) = oneshot::channel();
        let waiting = Waiting {
            sender,
            letter,
            answer,
        };
        self.lane(sender.trust)
            .try_send(waiting)
            .map_err(|_| LaneError::Full)?;
        heard
            .await
            .unwrap_or_else(|_| Err(unavailable(StoreError::CommitUnknown.into())))
    }

    /// The trust's lane; a lane whose task has died is replaced.
    fn lane(&self, trust: TrustId) -> mpsc::Sender<Waiting> {
        let mut lanes = self
            .lanes
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let alive = lanes.get(&trust).filter(|lane| !lane.is_closed()).cloned();
        alive.unwrap_or_else(|| {
            let (lane, waiting) = mpsc::channel(self.queue_letters);
            lanes.insert(trust, lane.clone());
            tokio::spawn(drive(self.store.clone(), Arc::clone(&self.bells), waiting));
            lane
        })
    }
}

/// Takes what waits, up to a transaction's worth, while the one before it is written.
async fn drive(store: Store, bells: Arc<dyn Bells>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(MOST);
    while waiting.recv_many(&mut batch, MOST).await > 0 {
        // Whoever has hung up does not want the letter published any more.
        batch.retain(|one: &Waiting| !one.answer.is_closed());
        write(&store, &*bells, std::mem::take(&mut batch)).await;
    }
}

async fn write(store: &Store, bells: &dyn Bells, batch: Vec<Waiting>) {
    let Some(sender) = batch.first().map(|one| one.sender) else {
        return;
    };
    metrics::histogram!("letterbox_intake_batch_letters")
        .record(u32::try_from(batch.len()).unwrap_or(u32::MAX));
    let (letters, answers): (Vec<NewLetter>, Vec<_>) = batch
        .into_iter()
        .map(|one| (one.letter, one.answer))
        .unzip();
    let results = match publish_letters(store, &sender, &letters).await {
        Ok(publication) => {
            bells.ring(publication.wake);
            publication.results.into_iter().map(Ok).collect()
        }
        Err(error) => vec![Err(unavailable(error)); answers.len()],
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // A caller that has hung up meanwhile will send the letter again and find it published.
        drop(answer.send(result));
    }
}

fn unavailable(error: CommandError) -> LaneError {
    LaneError::Unavailable(Arc::new(error))
}
