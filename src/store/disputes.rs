//! "This letter is not mine": said, taken back within ten minutes, or taken on by a named person at the trust.
//!
//! While it stands nobody reads the letter, no carer sees it and nothing that waited for it leaves; its case stays
//! open with a person's task, so that it cannot be forgotten. Locks mailbox, then case, then the item, like everybody.

use chrono::{DateTime, Utc};
use letterbox_domain::{
    case::CaseEnd,
    circle::ShareKind,
    dispute::{self, Dispute},
    event::{Event, EventKind, ItemRef},
    id::{AccountId, LetterId, PatientId, TaskId},
    ladder::Rung,
    letter::{LetterKind, LetterState},
};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::events::NewEvent;
use super::ladder::LadderStore;
use super::openings::{self, Look};
use super::task_outcomes::TaskAnswer;
use super::{Principal, StoreError, Tx, circle, endings, events, history, locks, pages, policies};

/// What saying so, or taking it back, came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisputeAnswer {
    /// No such letter of this account's own; a carer cannot say so for the patient.
    NotFound,
    /// It is so already.
    Unchanged,
    /// The ten minutes are over, or somebody has taken the matter on.
    TooLate,
    /// It is so from now on.
    Done {
        /// What the mailbox hears.
        events: Vec<Event>,
    },
}

const LETTER: &str = "
    SELECT l.trust_id, l.patient_id, l.kind, l.state, l.restricted, l.hidden_at IS NOT NULL AS hidden, l.not_mine_at,
           d.accepted_at, d.was_hidden, d.due_at IS NOT NULL AS held, app_now() AS now
    FROM letters l LEFT JOIN disputes d ON d.letter_id = l.id WHERE l.id = $1";

const CASE: &str = "SELECT id FROM cases WHERE letter_id = $1";

const LOCK_AWAY: &str = "
    UPDATE letters SET not_mine_at = app_now(), hidden_at = coalesce(hidden_at, app_now()) WHERE id = $1";

const GIVE_BACK: &str = "
    UPDATE letters SET not_mine_at = NULL, hidden_at = CASE WHEN $2 THEN hidden_at END WHERE id = $1";

/// The case's plan goes into the dispute, if the case is open.
const SAY: &str = "
    INSERT INTO disputes (letter_id, said_by, was_hidden, step_rungs, step_ats, climbed, promised_at, due_at)
    SELECT $1, $2, $3, c.step_rungs, c.step_ats, c.climbed, c.promised_at, c.due_at
    FROM (SELECT) AS always LEFT JOIN cases c ON c.letter_id = $1 AND c.ended_at IS NULL";

/// All that is left to the case is to see that somebody takes the task.
const HOLD: &str = "
    UPDATE cases SET step_rungs = ARRAY[$2::smallint], step_ats = ARRAY[$3::timestamptz], climbed = 0, promised_at = NULL,
                     due_at = $3, fence = fence + 1, lease_until = NULL, lease_node = NULL
    WHERE letter_id = $1 AND ended_at IS NULL";

const CALL_OFF: &str = "
    UPDATE dispatches SET state = 'cancelled', code = 'not_mine', finished_at = app_now()
    WHERE state = 'queued' AND case_id IN (SELECT id FROM cases WHERE letter_id = $1)";

const SET_ASIDE: &str = "
    UPDATE tasks SET closed_at = app_now(), outcome = 'not_mine'
    WHERE closed_at IS NULL AND case_id IN (SELECT id FROM cases WHERE letter_id = $1)";

const ASK_A_PERSON: &str = "
    INSERT INTO tasks (id, trust_id, case_id, letter_id, kind, due_at)
    SELECT $2, l.trust_id, c.id, l.id, 'not_mine', $3 FROM letters l LEFT JOIN cases c ON c.letter_id = l.id WHERE l.id = $1
    ON CONFLICT DO NOTHING";

const RESTORE: &str = "
    UPDATE cases c SET step_rungs = d.step_rungs, step_ats = d.step_ats, climbed = d.climbed, promised_at = d.promised_at,
                       due_at = d.due_at, fence = c.fence + 1, lease_until = NULL, lease_node = NULL
    FROM disputes d WHERE d.letter_id = $1 AND c.letter_id = $1 AND c.ended_at IS NULL AND d.due_at IS NOT NULL
    RETURNING c.promised_at";

const CALL_BACK: &str = "
    UPDATE dispatches SET state = 'queued', code = NULL, finished_at = NULL
    WHERE state = 'cancelled' AND code = 'not_mine' AND case_id IN (SELECT id FROM cases WHERE letter_id = $1)";

const TAKE_UP: &str = "
    UPDATE tasks SET closed_at = NULL, outcome = NULL
    WHERE outcome = 'not_mine' AND case_id IN (SELECT id FROM cases WHERE letter_id = $1 AND ended_at IS NULL)";

const NO_LONGER_ASKED: &str = "
    UPDATE tasks SET closed_at = app_now(), outcome = 'undone', closed_by = $2
    WHERE letter_id = $1 AND kind = 'not_mine' AND closed_at IS NULL";

const FORGET: &str = "DELETE FROM disputes WHERE letter_id = $1";

const ACCEPT: &str = "UPDATE disputes SET accepted_at = app_now(), accepted_by = $2 WHERE letter_id = $1 AND accepted_at IS NULL";

const CLOSE: &str = "
    UPDATE tasks SET closed_at = app_now(), outcome = 'accepted', closed_by = $2, owner_account_id = $2
    WHERE id = $1 AND closed_at IS NULL";

/// A letter under its mailbox's lock.
struct Found {
    letter: LetterId,
    trust: Uuid,
    patient: PatientId,
    share: ShareKind,
    state: LetterState,
    restricted: bool,
    hidden: bool,
    dispute: Option<Dispute>,
    was_hidden: bool,
    now: DateTime<Utc>,
}

impl LadderStore {
    /// The patient says that the letter is not theirs.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn say_not_mine(
        &self,
        account: AccountId,
        letter: LetterId,
    ) -> Result<DisputeAnswer, StoreError> {
        let say = |tx: Tx| self.say(tx, account, letter);
        self.web
            .run("letters.not_mine", &Principal::Account { account }, say)
            .await
    }

    /// The patient takes it back.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn undo_not_mine(
        &self,
        account: AccountId,
        letter: LetterId,
    ) -> Result<DisputeAnswer, StoreError> {
        let undo = |tx: Tx| async move { undo(&tx, account, letter).await };
        self.web
            .run("letters.mine_again", &Principal::Account { account }, undo)
            .await
    }

    async fn say(
        &self,
        tx: Tx,
        account: AccountId,
        letter: LetterId,
    ) -> Result<DisputeAnswer, StoreError> {
        let Some(found) = own(&tx, account, letter, "letter.not_mine").await? else {
            return Ok(DisputeAnswer::NotFound);
        };
        if found.dispute.is_some() {
            return Ok(DisputeAnswer::Unchanged);
        }
        if !found.state.is_readable() {
            return Ok(DisputeAnswer::TooLate);
        }
        let policy = policies::current(&tx, found.trust.into()).await?;
        let due_at = policy.escalate_after.after(found.now, &self.calendars);
        let id = letter.as_uuid();
        tx.execute(SAY, &[&id, &account.as_uuid(), &found.hidden])
            .await?;
        tx.execute(HOLD, &[&id, &Rung::TaskCheck.number(), &due_at])
            .await?;
        for sql in [CALL_OFF, SET_ASIDE, LOCK_AWAY] {
            tx.execute(sql, &[&id]).await?;
        }
        tx.execute(ASK_A_PERSON, &[&id, &Uuid::now_v7(), &due_at])
            .await?;
        found.record(&tx, account, "letter.not_mine").await?;
        let kind = if found.hidden {
            EventKind::PromiseChanged
        } else {
            EventKind::ItemHidden
        };
        let events = events::append(&tx, &[found.event(kind, None)]).await?;
        Ok(DisputeAnswer::Done { events })
    }
}

async fn undo(tx: &Tx, account: AccountId, letter: LetterId) -> Result<DisputeAnswer, StoreError> {
    let Some(found) = own(tx, account, letter, "letter.mine_again").await? else {
        return Ok(DisputeAnswer::NotFound);
    };
    match found.dispute {
        None => return Ok(DisputeAnswer::Unchanged),
        Some(dispute) if !dispute.may_undo(found.now) => return Ok(DisputeAnswer::TooLate),
        Some(_) => {}
    }
    let id = letter.as_uuid();
    tx.execute(NO_LONGER_ASKED, &[&id, &account.as_uuid()])
        .await?;
    let restored = tx.query_opt(RESTORE, &[&id]).await?;
    let promised: Option<DateTime<Utc>> = match &restored {
        Some(row) => row.try_get(0)?,
        None => None,
    };
    for sql in [CALL_BACK, TAKE_UP, FORGET] {
        tx.execute(sql, &[&id]).await?;
    }
    tx.execute(GIVE_BACK, &[&id, &found.was_hidden]).await?;
    found.record(tx, account, "letter.mine_again").await?;
    let mut heard = vec![found.event(EventKind::PromiseChanged, promised)];
    if !found.was_hidden {
        heard.insert(0, found.event(EventKind::ItemShown, promised));
    }
    let events = events::append(tx, &heard).await?;
    Ok(DisputeAnswer::Done { events })
}

/// A named person of the trust takes the matter on: only now the case ends.
pub(super) async fn accept(
    tx: &Tx,
    account: AccountId,
    task: TaskId,
    letter: LetterId,
) -> Result<TaskAnswer, StoreError> {
    let Some(found) = locked(tx, letter).await? else {
        return Ok(TaskAnswer::NotFound);
    };
    let roles = pages::staff_roles(tx, account, found.trust.into()).await?;
    if !roles.into_iter().any(dispute::accepts) {
        return Ok(TaskAnswer::NotYours);
    }
    match found.dispute {
        Some(dispute) if dispute.may_accept(found.now) => {}
        Some(Dispute::Said { .. }) => return Ok(TaskAnswer::NotYet),
        _ => return Ok(TaskAnswer::ClosedAlready),
    }
    let (id, by) = (letter.as_uuid(), account.as_uuid());
    if tx.execute(CLOSE, &[&task.as_uuid(), &by]).await? == 0 {
        return Ok(TaskAnswer::ClosedAlready);
    }
    tx.execute(ACCEPT, &[&id, &by]).await?;
    let cases = tx.query(CASE, &[&id]).await?;
    let cases: Vec<_> = cases
        .iter()
        .map(|row| row.get::<_, Uuid>(0).into())
        .collect();
    endings::end(tx, &cases, CaseEnd::HandedOver, Some("not_mine")).await?;
    found
        .record(tx, account, "letter.not_mine_accepted")
        .await?;
    let events = events::append(tx, &[found.event(EventKind::PromiseChanged, None)]).await?;
    Ok(TaskAnswer::Closed { events })
}

/// The letter under its mailbox's and its case's lock, if it is this account's own; the attempt is in the audit.
async fn own(
    tx: &Tx,
    account: AccountId,
    letter: LetterId,
    action: &'static str,
) -> Result<Option<Found>, StoreError> {
    let Some(found) = locked(tx, letter).await? else {
        return Ok(None);
    };
    let viewer = circle::viewer(tx, account, found.patient).await?;
    let own = viewer.is_some_and(|viewer| viewer.is_patient()) && found.state != LetterState::Held;
    let look = Look {
        account,
        trust: found.trust,
        patient: found.patient,
        action,
        item: ItemRef::Letter(letter),
    };
    openings::seen(tx, &look, own).await?;
    Ok(own.then_some(found))
}

async fn locked(tx: &Tx, letter: LetterId) -> Result<Option<Found>, StoreError> {
    let id = letter.as_uuid();
    let Some(row) = tx.query_opt(LETTER, &[&id]).await? else {
        return Ok(None);
    };
    locks::patients(tx, &[row.try_get("patient_id")?]).await?;
    let cases = tx.query(CASE, &[&id]).await?;
    let cases: Vec<Uuid> = cases.iter().map(|row| row.get(0)).collect();
    locks::cases(tx, &cases).await?;
    let row = tx.query_one(LETTER, &[&id]).await?;
    Found::read(letter, &row).map(Some)
}

impl Found {
    fn read(letter: LetterId, row: &Row) -> Result<Self, StoreError> {
        let kind = LetterKind::from_name(row.try_get("kind")?);
        let state = LetterState::from_name(row.try_get("state")?);
        let said: Option<DateTime<Utc>> = row.try_get("not_mine_at")?;
        let accepted = row.try_get("accepted_at")?;
        Ok(Self {
            letter,
            trust: row.try_get("trust_id")?,
            patient: row.try_get::<_, Uuid>("patient_id")?.into(),
            share: kind
                .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))?
                .share(),
            state: state.ok_or_else(|| StoreError::corrupt("letters", "state", "no such state"))?,
            restricted: row.try_get("restricted")?,
            hidden: row.try_get("hidden")?,
            dispute: said.map(|said| Dispute::stored(said, accepted)),
            was_hidden: row
                .try_get::<_, Option<bool>>("was_hidden")?
                .unwrap_or(false),
            now: row.try_get("now")?,
        })
    }

    fn event(&self, kind: EventKind, due: Option<DateTime<Utc>>) -> NewEvent {
        NewEvent {
            patient: self.patient,
            kind,
            item: ItemRef::Letter(self.letter),
            share: self.share,
            restricted: self.restricted,
            due,
        }
    }

    async fn record(
        &self,
        tx: &Tx,
        account: AccountId,
        kind: &'static str,
    ) -> Result<(), StoreError> {
        let line = history::Entry {
            trust: self.trust,
            patient: Some(self.patient.as_uuid()),
            subject_kind: "letter",
            subject: self.letter.as_uuid(),
            kind,
            policy_version: None,
            facts: json!({"state": self.state.name()}),
        };
        history::append(tx, &Principal::Account { account }, &[line]).await
    }
}
