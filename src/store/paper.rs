//! Paper that the patient asks for: one letter too, or all letters from now on. Prints nothing itself: the letter
//! joins the queue under the same key as the deadline's paper, so it is never printed twice.

use chrono::{DateTime, Utc};
use letterbox_domain::{
    dispatch::effect_id,
    event::{Event, EventKind, ItemRef},
    id::{AccountId, LetterId},
    ladder::Rung,
    letter::{LetterKind, LetterState},
};
use serde_json::json;
use uuid::Uuid;

use super::events::NewEvent;
use super::ladder::LadderStore;
use super::openings::{self, Look};
use super::{Principal, Store, StoreError, Tx, circle, events, history, locks};

/// What asking for paper came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaperAnswer {
    /// No such letter of this account's own, or one that is not to be read (any more).
    NotFound,
    /// There is nowhere to send it.
    NoAddress,
    /// It goes by post anyway, has gone, or has been asked for before.
    OnItsWay,
    /// The hospital posts this letter itself.
    HospitalPosts,
    /// It is in the queue.
    Queued {
        /// The cut-off that takes it.
        at: DateTime<Utc>,
        /// What the mailbox hears.
        events: Vec<Event>,
    },
}

const LETTER: &str = "
    SELECT trust_id, patient_id, kind, state, restricted, not_mine_at IS NOT NULL AS not_mine, route
    FROM letters WHERE id = $1";

const CASE: &str = "SELECT id FROM cases WHERE letter_id = $1";

/// Under the key of the deadline's own paper: what was in a batch before is not printed again.
const QUEUE: &str = "
    INSERT INTO dispatches AS d (id, case_id, trust_id, patient_id, channel, due_at, state, asked_at)
    VALUES ($1, $2, $3, $4, 'post', $5, 'queued', app_now())
    ON CONFLICT (id) DO UPDATE SET state = 'queued', asked_at = app_now(), code = NULL, finished_at = NULL,
        due_at = CASE WHEN d.state = 'queued' THEN least(d.due_at, excluded.due_at) ELSE excluded.due_at END
    WHERE d.asked_at IS NULL AND d.state IN ('queued', 'failed', 'cancelled', 'rejected')
      AND NOT EXISTS (SELECT FROM print_items i WHERE i.dispatch_id = d.id)
    RETURNING due_at";

const PROMISE: &str = "UPDATE cases SET promised_at = $2 WHERE id = $1 AND ended_at IS NULL";

const MAILBOX: &str =
    "SELECT patient_id FROM memberships WHERE account_id = $1 AND left_at IS NULL";

const ALWAYS: &str = "
    UPDATE memberships SET paper_since = CASE WHEN $2 THEN app_now() END
    WHERE account_id = $1 AND left_at IS NULL AND (paper_since IS NOT NULL) <> $2";

impl LadderStore {
    /// Posts this letter too, whether it is opened or not. Exactly once, however often it is asked for.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn ask_paper(
        &self,
        account: AccountId,
        letter: LetterId,
    ) -> Result<PaperAnswer, StoreError> {
        let ask = |tx: Tx| self.ask(tx, account, letter);
        self.web
            .run("letters.ask_paper", &Principal::Account { account }, ask)
            .await
    }

    async fn ask(
        &self,
        tx: Tx,
        account: AccountId,
        letter: LetterId,
    ) -> Result<PaperAnswer, StoreError> {
        let id = letter.as_uuid();
        let Some(row) = tx.query_opt(LETTER, &[&id]).await? else {
            return Ok(PaperAnswer::NotFound);
        };
        let (trust, patient): (Uuid, Uuid) = (row.try_get("trust_id")?, row.try_get("patient_id")?);
        locks::patients(&tx, &[patient]).await?;
        let viewer = circle::viewer(&tx, account, patient.into()).await?;
        let row = tx.query_one(LETTER, &[&id]).await?;
        let readable = LetterState::from_name(row.try_get("state")?)
            .is_some_and(LetterState::is_readable)
            && !row.try_get::<_, bool>("not_mine")?;
        let may = readable && viewer.is_some_and(|viewer| viewer.is_patient());
        let look = Look {
            account,
            trust,
            patient: patient.into(),
            action: "letter.ask_paper",
            item: ItemRef::Letter(letter),
        };
        openings::seen(&tx, &look, may).await?;
        if !may {
            return Ok(PaperAnswer::NotFound);
        }
        let Some(found) = tx.query_opt(CASE, &[&id]).await? else {
            return Ok(PaperAnswer::HospitalPosts);
        };
        let Some(case) = locks::cases(&tx, &[found.try_get(0)?]).await?.pop() else {
            return Ok(PaperAnswer::HospitalPosts);
        };
        if !case.contacts.address {
            return Ok(PaperAnswer::NoAddress);
        }
        let policy = self.policy(&tx, case.policy_key()).await?;
        let cut_off = policy.cut_offs.next_after(case.now, &self.calendars);
        let key = effect_id(id, Rung::Deadline);
        let queued = tx
            .query_opt(QUEUE, &[&key, &case.id, &trust, &patient, &cut_off])
            .await?;
        let Some(queued) = queued else {
            return Ok(PaperAnswer::OnItsWay);
        };
        let at: DateTime<Utc> = queued.try_get(0)?;
        tx.execute(PROMISE, &[&case.id, &at]).await?;
        let line = history::Entry {
            trust,
            patient: Some(patient),
            subject_kind: "letter",
            subject: id,
            kind: "letter.paper_asked",
            policy_version: None,
            facts: json!({"due_at": at, "dispatch": key}),
        };
        history::append(&tx, &Principal::Account { account }, &[line]).await?;
        let kind = LetterKind::from_name(row.try_get("kind")?)
            .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))?;
        let event = NewEvent {
            patient: patient.into(),
            kind: EventKind::PromiseChanged,
            item: ItemRef::Letter(letter),
            share: kind.share(),
            restricted: row.try_get("restricted")?,
            due: Some(at),
        };
        let events = events::append(&tx, &[event]).await?;
        Ok(PaperAnswer::Queued { at, events })
    }
}

impl Store {
    /// "Always post my letters", or no longer; answers whether this account has a mailbox. Letters that are here
    /// already keep their route.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn always_post(&self, account: AccountId, always: bool) -> Result<bool, StoreError> {
        let write = |tx: Tx| async move {
            let Some(row) = tx.query_opt(MAILBOX, &[&account.as_uuid()]).await? else {
                return Ok::<_, StoreError>(false);
            };
            let patient: Uuid = row.try_get(0)?;
            // Publishing reads the wish under the same lock: each letter is either before or after.
            locks::patients(&tx, &[patient]).await?;
            if tx.execute(ALWAYS, &[&account.as_uuid(), &always]).await? == 1 {
                let line = history::Entry {
                    trust: Uuid::nil(),
                    patient: Some(patient),
                    subject_kind: "patient",
                    subject: patient,
                    kind: "paper.wish_changed",
                    policy_version: None,
                    facts: json!({"always": always}),
                };
                history::append(&tx, &Principal::Account { account }, &[line]).await?;
            }
            Ok(true)
        };
        self.run(
            "patients.always_post",
            &Principal::Account { account },
            write,
        )
        .await
    }
}
