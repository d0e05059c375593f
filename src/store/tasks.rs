//! Tasks: what needs a person, with an owner, a due time and escalation. One open task per case and kind.

use chrono::{DateTime, Utc};
use letterbox_domain::{ladder::phone_useful_until, policy::Policy, time::Calendars};
use uuid::Uuid;

use super::{StoreError, Tx};

/// What a task about a case asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Phone the patient.
    Phone,
    /// There is no lawful address: find one, or phone.
    NoAddress,
    /// The print house has not acknowledged.
    PrintUnacknowledged,
    /// The print house refused an item.
    PrintRejected,
    /// Post came back.
    ReturnedPost,
    /// Something was posted or read that had been withdrawn: tell the patient what is right.
    Correction,
}

impl Kind {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::NoAddress => "no_address",
            Self::PrintUnacknowledged => "print_unacknowledged",
            Self::PrintRejected => "print_rejected",
            Self::ReturnedPost => "returned_post",
            Self::Correction => "correction",
        }
    }
}

/// A task about a case.
#[derive(Clone)]
pub(super) struct New {
    pub(super) trust: Uuid,
    pub(super) case: Uuid,
    pub(super) kind: Kind,
    pub(super) due_at: DateTime<Utc>,
    pub(super) latest_useful_at: Option<DateTime<Utc>>,
}

impl New {
    /// A task that goes to the next person after the policy's wait, or by the last moment at which it is of use.
    pub(super) fn about(
        trust: Uuid,
        case: Uuid,
        kind: Kind,
        policy: &Policy,
        calendars: &Calendars,
        known_by: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let useful = known_by.map(|start| phone_useful_until(policy, calendars, start, now));
        let due = policy.escalate_after.after(now, calendars);
        Self {
            trust,
            case,
            kind,
            due_at: useful.map_or(due, |useful| due.min(useful)),
            latest_useful_at: useful,
        }
    }
}

const INSERT: &str = "
    INSERT INTO tasks (id, trust_id, case_id, kind, due_at, latest_useful_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[])
    ON CONFLICT (case_id, kind) WHERE closed_at IS NULL AND case_id IS NOT NULL DO NOTHING";

/// Prepares [`insert`], so that it leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(INSERT).await.map(drop)
}

pub(super) async fn insert(tx: &Tx, new: &[New]) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
    let trusts: Vec<Uuid> = new.iter().map(|task| task.trust).collect();
    let cases: Vec<Uuid> = new.iter().map(|task| task.case).collect();
    let kinds: Vec<&str> = new.iter().map(|task| task.kind.name()).collect();
    let dues: Vec<DateTime<Utc>> = new.iter().map(|task| task.due_at).collect();
    let useful: Vec<Option<DateTime<Utc>>> = new.iter().map(|task| task.latest_useful_at).collect();
    tx.execute(INSERT, &[&ids, &trusts, &cases, &kinds, &dues, &useful])
        .await
        .map(drop)
}

/// A case whose steps are done and that is still open: is what it waits for on its way?
pub(super) struct Watched {
    /// Paper that should have left before this, and has not been acknowledged, is an incident.
    pub(super) unacknowledged_since: DateTime<Utc>,
    /// When a task that goes to the next person is due there.
    pub(super) escalate_to: DateTime<Utc>,
    /// What is asked of a person where nothing at all is on its way.
    pub(super) stand_in: New,
}

/// A batch that was closed and not acknowledged is one task, however many letters it holds.
const SILENT_BATCHES: &str = "
    INSERT INTO tasks (id, trust_id, batch_id, kind, due_at)
    SELECT DISTINCT ON (b.id) gen_random_uuid(), b.trust_id, b.id, 'print_unacknowledged', w.escalate_to
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS w(case_id, since, escalate_to)
    JOIN dispatches d ON d.case_id = w.case_id AND d.channel = 'post'
    JOIN print_items i ON i.dispatch_id = d.id AND i.state = 'sent'
    JOIN print_batches b ON b.id = i.batch_id AND b.state <> 'acknowledged' AND b.cut_off_at <= w.since
    ON CONFLICT (batch_id, kind) WHERE closed_at IS NULL AND batch_id IS NOT NULL DO NOTHING";

/// Post that should long have gone into a batch and did not.
const STUCK_IN_QUEUE: &str = "
    INSERT INTO tasks (id, trust_id, case_id, kind, due_at)
    SELECT gen_random_uuid(), d.trust_id, d.case_id, 'print_unacknowledged', w.escalate_to
    FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS w(case_id, since, escalate_to)
    JOIN dispatches d ON d.case_id = w.case_id AND d.channel = 'post' AND d.state = 'queued' AND d.due_at <= w.since
    ON CONFLICT (case_id, kind) WHERE closed_at IS NULL AND case_id IS NOT NULL DO NOTHING";

const ESCALATE: &str = "
    UPDATE tasks t SET escalations = t.escalations + 1, due_at = w.escalate_to
    FROM unnest($1::uuid[], $2::timestamptz[]) AS w(case_id, escalate_to)
    WHERE t.case_id = w.case_id AND t.closed_at IS NULL AND t.due_at <= app_now()";

/// Nobody has been asked and nothing is under way: the case would wait for ever.
const IDLE: &str = "
    SELECT w.n FROM unnest($1::uuid[]) WITH ORDINALITY AS w(case_id, n)
    WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.case_id = w.case_id AND t.closed_at IS NULL)
      AND NOT EXISTS (SELECT FROM dispatches d WHERE d.case_id = w.case_id AND d.channel = 'post'
                        AND d.state IN ('queued', 'claimed', 'unknown', 'accepted'))";

/// Looks after cases whose steps are done: silent batches and overdue tasks go on, and none is left with nobody.
pub(super) async fn watch(tx: &Tx, watched: &[Watched]) -> Result<(), StoreError> {
    if watched.is_empty() {
        return Ok(());
    }
    let cases: Vec<Uuid> = watched.iter().map(|one| one.stand_in.case).collect();
    let since: Vec<DateTime<Utc>> = watched.iter().map(|one| one.unacknowledged_since).collect();
    let escalate: Vec<DateTime<Utc>> = watched.iter().map(|one| one.escalate_to).collect();
    tx.execute(ESCALATE, &[&cases, &escalate]).await?;
    tx.execute(SILENT_BATCHES, &[&cases, &since, &escalate])
        .await?;
    tx.execute(STUCK_IN_QUEUE, &[&cases, &since, &escalate])
        .await?;
    let idle = tx.query(IDLE, &[&cases]).await?;
    let mut stand_ins = Vec::with_capacity(idle.len());
    for row in idle {
        let position = usize::try_from(row.try_get::<_, i64>(0)? - 1).unwrap_or(usize::MAX);
        stand_ins.extend(watched.get(position).map(|one| one.stand_in.clone()));
    }
    insert(tx, &stand_ins).await
}
