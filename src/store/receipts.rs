//! What providers say later about messages they took: delivered, failed, returned. Unordered, repeated, sometimes
//! ahead of our own record; a message only ever moves on.

use letterbox_domain::{dispatch::DispatchState, event::Event};
use serde_json::json;
use uuid::Uuid;

use super::dispatch_record::{Failure, blames_contact, lock_mailbox};
use super::dispatches::{entry, lock};
use super::ladder::{LadderStore, housekeeping};
use super::{StoreError, Tx, history, mails};

/// How a provider names the message it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    /// By its own reference, as answered to our call.
    Reference(&'a str),
    /// By our effect key, where the call-back carries it.
    Dispatch(Uuid),
}

/// A provider's word about one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// Which message.
    pub about: About<'a>,
    /// What it says.
    pub said: DispatchState,
    /// Its code, where something went wrong.
    pub code: Option<&'a str>,
}

/// What a receipt changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// No message is known by that name (yet).
    Unknown,
    /// It says nothing new.
    Nothing,
    /// The message moved on; a failure may have changed a promise.
    Moved(Vec<Event>),
}

const FIND: &str = "SELECT id FROM dispatches WHERE provider_reference = $1 LIMIT 1";
const MOVE: &str = "UPDATE dispatches SET state = $2, code = coalesce($3, code),
                    finished_at = coalesce(finished_at, app_now()) WHERE id = $1";

impl LadderStore {
    /// Writes a receipt, if it says anything new.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn hear(&self, receipt: Receipt<'_>) -> Result<Heard, StoreError> {
        self.web
            .run("dispatches.hear", &housekeeping(), |tx| {
                self.hear_in(tx, receipt)
            })
            .await
    }

    async fn hear_in(&self, tx: Tx, receipt: Receipt<'_>) -> Result<Heard, StoreError> {
        let Some(id) = find(&tx, receipt.about).await? else {
            return Ok(Heard::Unknown);
        };
        lock_mailbox(&tx, id).await?;
        let Some((case, held)) = lock(&tx, id).await? else {
            return heard_of_account(&tx, id, receipt).await;
        };
        let Some(next) = held.state.on_receipt(receipt.said) else {
            return Ok(Heard::Nothing);
        };
        let code = receipt.code.unwrap_or("");
        if !next.jumps_ahead() {
            tx.execute(MOVE, &[&id, &next.name(), &receipt.code])
                .await?;
            let facts = json!({"state": next.name(), "channel": held.channel.name()});
            history::append(
                &tx,
                &housekeeping(),
                &[entry(&case, id, "dispatch.moved", facts)],
            )
            .await?;
            return Ok(Heard::Moved(Vec::new()));
        }
        // A contact that was verified after the message had gone is not blamed for its predecessor.
        let is_same = held.finished_at.is_none_or(|at| {
            case.verified_at(held.channel)
                .is_some_and(|since| since <= at)
        });
        let contact = case
            .contact(held.channel)
            .filter(|_| is_same && blames_contact(held.channel, code));
        let failure = Failure {
            state: next,
            code,
            bad_contact: contact,
        };
        let events = self
            .write_failure(&tx, &housekeeping(), &case, &held, id, failure)
            .await?;
        Ok(Heard::Moved(events))
    }
}

/// A reminder's failure is kept with it; nothing else follows from one.
async fn heard_of_account(tx: &Tx, id: Uuid, receipt: Receipt<'_>) -> Result<Heard, StoreError> {
    let failed = receipt.said.jumps_ahead() && mails::not_arrived(tx, id, receipt.code).await?;
    Ok(if failed {
        Heard::Nothing
    } else {
        Heard::Unknown
    })
}

async fn find(tx: &Tx, about: About<'_>) -> Result<Option<Uuid>, StoreError> {
    match about {
        About::Dispatch(id) => Ok(Some(id)),
        About::Reference(reference) => {
            let row = tx.query_opt(FIND, &[&reference]).await?;
            Ok(row.map(|row| row.try_get(0)).transpose()?)
        }
    }
}
