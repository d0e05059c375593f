//! What a person did about a task, and what follows. Only having spoken to the patient, or having taken the matter
//! over, ends a case; everything else sees to it that something further is on its way.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    case::CaseEnd,
    event::Event,
    id::{AccountId, TaskId, TrustId},
    ladder::{Plan, Rung, Step},
    policy::Policy,
};
use serde_json::json;
use uuid::Uuid;

use super::case_commit::{entry, promise_changed};
use super::case_rows::CaseRow;
use super::ladder::LadderStore;
use super::paper_instead::paper_is_coming;
use super::print::due_now;
use super::tasks::{self, Kind};
use super::{Principal, StoreError, Tx, disputes, endings, events, history, locks};

/// So many calls without an answer; then paper goes as well, and somebody else hears of it.
pub const MOST_TRIES: i16 = 3;

/// What the person at the telephone, or at the board, says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Spoke to the patient: they know.
    Spoke,
    /// Nobody answered.
    NoAnswer,
    /// The number is not the patient's.
    WrongNumber,
    /// Told, and wants it on paper too; or an address was found, and paper can go.
    WantsPaper,
    /// Seen to in another way; the person answers for it.
    Resolved,
    /// Taken on, by name: a letter that is not the patient's.
    Accepted,
}

impl Done {
    /// The name in forms and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spoke => "spoke",
            Self::NoAnswer => "no_answer",
            Self::WrongNumber => "wrong_number",
            Self::WantsPaper => "wants_paper",
            Self::Resolved => "resolved",
            Self::Accepted => "accepted",
        }
    }

    /// What carries this name in a form.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Spoke,
            Self::NoAnswer,
            Self::WrongNumber,
            Self::WantsPaper,
            Self::Resolved,
            Self::Accepted,
        ];
        all.into_iter().find(|done| done.name() == name)
    }
}

/// What became of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskAnswer {
    /// No such task at a trust of this account.
    NotFound,
    /// Somebody, or the patient by opening, was quicker.
    ClosedAlready,
    /// This cannot be the answer to such a task: only one about a patient can be answered by telephone.
    NotForThis,
    /// Only who answers for information governance, or runs the office, takes this on.
    NotYours,
    /// The patient may still take it back.
    NotYet,
    /// There is no lawful address: paper cannot go, the task stays.
    NoAddress,
    /// The letter was printed before; printing it again needs a new letter.
    PrintedBefore,
    /// It stays open and comes up again.
    Again {
        /// When.
        due_at: DateTime<Utc>,
        /// What the mailbox hears.
        events: Vec<Event>,
    },
    /// It is closed.
    Closed {
        /// What the mailbox hears.
        events: Vec<Event>,
    },
}

/// Only staff of the task's own trust see it.
const TASK: &str = "
    SELECT t.trust_id, t.kind, t.case_id, t.letter_id, t.tries, t.closed_at IS NOT NULL AS closed, t.latest_useful_at, app_now() AS now
    FROM tasks t WHERE t.id = $1
      AND EXISTS (SELECT FROM staff_roles r WHERE r.account_id = $2 AND r.trust_id = t.trust_id)";

const HOLD: &str = "SELECT closed_at IS NOT NULL, tries FROM tasks WHERE id = $1 FOR UPDATE";

const CLOSE: &str = "UPDATE tasks SET closed_at = app_now(), outcome = $2, closed_by = $3 WHERE id = $1 AND closed_at IS NULL";

const AGAIN: &str = "
    UPDATE tasks SET tries = tries + 1, due_at = $2, escalations = escalations + $3, owner_account_id = $4 WHERE id = $1";

const TAKE: &str = "
    UPDATE tasks t SET owner_account_id = $2 WHERE t.id = $1 AND t.closed_at IS NULL
      AND EXISTS (SELECT FROM staff_roles r WHERE r.account_id = $2 AND r.trust_id = t.trust_id)";

/// A task about a case, with everything that its outcome needs, under lock.
struct Held {
    task: TaskId,
    kind: String,
    tries: i16,
    useful_until: Option<DateTime<Utc>>,
    case: CaseRow,
}

impl LadderStore {
    /// Makes this person the task's owner.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn take_task(&self, account: AccountId, task: TaskId) -> Result<bool, StoreError> {
        let take = |tx: Tx| async move {
            tx.execute(TAKE, &[&task.as_uuid(), &account.as_uuid()])
                .await
        };
        Ok(self
            .web
            .run("tasks.take", &Principal::Account { account }, take)
            .await?
            == 1)
    }

    /// Writes what a member of staff did about a task, and sees to what follows.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn task_done(
        &self,
        account: AccountId,
        task: TaskId,
        done: Done,
    ) -> Result<TaskAnswer, StoreError> {
        let write = |tx: Tx| self.task_done_in(tx, account, task, done);
        self.web
            .run("tasks.done", &Principal::Account { account }, write)
            .await
    }

    async fn task_done_in(
        &self,
        tx: Tx,
        account: AccountId,
        task: TaskId,
        done: Done,
    ) -> Result<TaskAnswer, StoreError> {
        let Some(row) = tx
            .query_opt(TASK, &[&task.as_uuid(), &account.as_uuid()])
            .await?
        else {
            return Ok(TaskAnswer::NotFound);
        };
        if row.try_get("closed")? {
            return Ok(TaskAnswer::ClosedAlready);
        }
        let trust = row.try_get::<_, Uuid>("trust_id")?.into();
        // A request is answered where it stands, with a message to the patient.
        if row.try_get::<_, &str>("kind")? == "change_request" {
            return Ok(TaskAnswer::NotForThis);
        }
        let is_dispute = row.try_get::<_, &str>("kind")? == "not_mine";
        if is_dispute != (done == Done::Accepted) {
            return Ok(TaskAnswer::NotForThis);
        }
        if let Some(letter) = row
            .try_get::<_, Option<Uuid>>("letter_id")?
            .filter(|_| is_dispute)
        {
            return disputes::accept(&tx, account, task, letter.into()).await;
        }
        let Some(case_id) = row.try_get::<_, Option<Uuid>>("case_id")? else {
            return without_case(&tx, account, trust, task, done).await;
        };
        let patient: Uuid = tx
            .query_one("SELECT patient_id FROM cases WHERE id = $1", &[&case_id])
            .await?
            .try_get(0)?;
        locks::patients(&tx, &[patient]).await?;
        let Some(case) = locks::cases(&tx, &[case_id]).await?.pop() else {
            return Ok(TaskAnswer::NotFound);
        };
        let held = tx.query_one(HOLD, &[&task.as_uuid()]).await?;
        if held.try_get(0)? {
            return Ok(TaskAnswer::ClosedAlready);
        }
        let (kind, useful_until) = (row.try_get("kind")?, row.try_get("latest_useful_at")?);
        let held = Held {
            task,
            kind,
            tries: held.try_get(1)?,
            useful_until,
            case,
        };
        let policy = self.policy(&tx, held.case.policy_key()).await?;
        self.follow(&tx, account, &held, &policy, done).await
    }

    async fn follow(
        &self,
        tx: &Tx,
        account: AccountId,
        held: &Held,
        policy: &Policy,
        done: Done,
    ) -> Result<TaskAnswer, StoreError> {
        let is_open = held.case.state.is_open();
        match done {
            Done::Spoke => self.ended(tx, account, held, done, "told_by_phone").await,
            Done::Resolved | Done::Accepted => {
                self.ended(tx, account, held, done, "taken_over").await
            }
            _ if !is_open => {
                close(tx, account, held, done).await?;
                Ok(TaskAnswer::Closed { events: Vec::new() })
            }
            Done::NoAnswer => self.no_answer(tx, account, held, policy).await,
            Done::WrongNumber => self.wrong_number(tx, account, held, policy).await,
            Done::WantsPaper => self.wants_paper(tx, account, held, policy).await,
        }
    }

    async fn ended(
        &self,
        tx: &Tx,
        account: AccountId,
        held: &Held,
        done: Done,
        detail: &str,
    ) -> Result<TaskAnswer, StoreError> {
        close(tx, account, held, done).await?;
        let ended = endings::end(
            tx,
            &[held.case.id.into()],
            CaseEnd::HandedOver,
            Some(detail),
        )
        .await?;
        if ended.is_empty() {
            return Ok(TaskAnswer::Closed { events: Vec::new() });
        }
        let line = entry(
            &held.case,
            "case.handed_over",
            json!({"detail": detail, "task": held.task.as_uuid()}),
        );
        history::append(tx, &Principal::Account { account }, &[line]).await?;
        let events = events::append(tx, &[promise_changed(&held.case, None)]).await?;
        Ok(TaskAnswer::Closed { events })
    }

    /// Tried again while it is of use; after the last try somebody else hears of it, and paper goes as well.
    async fn no_answer(
        &self,
        tx: &Tx,
        account: AccountId,
        held: &Held,
        policy: &Policy,
    ) -> Result<TaskAnswer, StoreError> {
        let now = held.case.now;
        let last = held.tries + 1 >= MOST_TRIES;
        let wait = if last {
            policy.escalate_after
        } else {
            policy.task_after
        };
        let meant = wait.after(now, &self.calendars);
        let due_at = held
            .useful_until
            .filter(|until| *until > now)
            .map_or(meant, |until| meant.min(until));
        let params: super::Params<'_> = &[
            &held.task.as_uuid(),
            &due_at,
            &i16::from(last),
            &account.as_uuid(),
        ];
        tx.execute(AGAIN, params).await?;
        let line = entry(
            &held.case,
            "task.no_answer",
            json!({"task": held.task.as_uuid(), "tries": held.tries + 1}),
        );
        history::append(tx, &Principal::Account { account }, &[line]).await?;
        let mut events = Vec::new();
        if last && held.case.contacts.address && self.queue_paper(tx, &held.case, policy).await? {
            events = self.promise_paper(tx, &held.case, policy, None).await?;
        }
        Ok(TaskAnswer::Again { due_at, events })
    }

    /// The number is struck off; paper is the next thing, and without an address another way must be found.
    async fn wrong_number(
        &self,
        tx: &Tx,
        account: AccountId,
        held: &Held,
        policy: &Policy,
    ) -> Result<TaskAnswer, StoreError> {
        const STRIKE_OFF: &str = "
            INSERT INTO bad_contacts (patient_id, channel, contact, code)
            SELECT id, 'phone', phone, 'wrong_number' FROM patients WHERE id = $1 AND phone IS NOT NULL
            ON CONFLICT DO NOTHING";
        tx.execute(STRIKE_OFF, &[&held.case.patient]).await?;
        close(tx, account, held, Done::WrongNumber).await?;
        let goes = held.case.contacts.address && self.queue_paper(tx, &held.case, policy).await?;
        if goes {
            let events = self.promise_paper(tx, &held.case, policy, None).await?;
            return Ok(TaskAnswer::Closed { events });
        }
        if !paper_is_coming(tx, &held.case).await? {
            tasks::insert(tx, &[self.stand_in(tx, &held.case, Kind::NoAddress).await?]).await?;
        }
        due_now(tx, &[held.case.id], true).await?;
        Ok(TaskAnswer::Closed { events: Vec::new() })
    }

    /// The patient knows, or an address was found: from here the paper's acknowledgement ends the case.
    async fn wants_paper(
        &self,
        tx: &Tx,
        account: AccountId,
        held: &Held,
        policy: &Policy,
    ) -> Result<TaskAnswer, StoreError> {
        if !held.case.contacts.address {
            return Ok(TaskAnswer::NoAddress);
        }
        if !self.queue_paper(tx, &held.case, policy).await?
            && !paper_is_coming(tx, &held.case).await?
        {
            return Ok(TaskAnswer::PrintedBefore);
        }
        close(tx, account, held, Done::WantsPaper).await?;
        let cut_off = policy.cut_offs.next_after(held.case.now, &self.calendars);
        let plan = paper_only(
            &held.case,
            policy.ack_within.after(cut_off, &self.calendars),
        );
        let events = self
            .promise_paper(tx, &held.case, policy, Some(&plan))
            .await?;
        let line = entry(
            &held.case,
            "case.wants_paper",
            json!({"task": held.task.as_uuid(), "promised_at": cut_off}),
        );
        history::append(tx, &Principal::Account { account }, &[line]).await?;
        Ok(TaskAnswer::Closed { events })
    }
}

/// Nothing is left to do but to see that the paper leaves: no telephone any more.
fn paper_only(case: &CaseRow, check: DateTime<Utc>) -> Plan {
    let mut plan = case.plan.clone();
    plan.steps
        .truncate(usize::try_from(case.climbed).unwrap_or(0));
    plan.steps.retain(|step| {
        !matches!(
            step.rung,
            Rung::PhoneTask | Rung::TaskCheck | Rung::PrintCheck
        )
    });
    let last = plan
        .steps
        .last()
        .map_or(check, |step| step.at + TimeDelta::microseconds(1));
    plan.steps.push(Step {
        at: check.max(last),
        rung: Rung::PrintCheck,
    });
    plan
}

async fn close(tx: &Tx, account: AccountId, held: &Held, done: Done) -> Result<(), StoreError> {
    tx.execute(
        CLOSE,
        &[&held.task.as_uuid(), &done.name(), &account.as_uuid()],
    )
    .await?;
    let facts =
        json!({"task": held.task.as_uuid(), "task_kind": held.kind, "outcome": done.name()});
    history::append(
        tx,
        &Principal::Account { account },
        &[entry(&held.case, "task.closed", facts)],
    )
    .await
}

/// Tasks about a batch or about input can only be resolved.
async fn without_case(
    tx: &Tx,
    account: AccountId,
    trust: TrustId,
    task: TaskId,
    done: Done,
) -> Result<TaskAnswer, StoreError> {
    if done != Done::Resolved {
        return Ok(TaskAnswer::NotForThis);
    }
    if tx
        .execute(CLOSE, &[&task.as_uuid(), &done.name(), &account.as_uuid()])
        .await?
        == 0
    {
        return Ok(TaskAnswer::ClosedAlready);
    }
    let line = history::Entry {
        trust: trust.as_uuid(),
        patient: None,
        subject_kind: "task",
        subject: task.as_uuid(),
        kind: "task.closed",
        policy_version: None,
        facts: json!({"outcome": done.name()}),
    };
    history::append(tx, &Principal::Account { account }, &[line]).await?;
    Ok(TaskAnswer::Closed { events: Vec::new() })
}
