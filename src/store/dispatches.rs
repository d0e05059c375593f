//! Messages to people: queueing, claiming under a lease, and the last question before one leaves.
//! Writing what came of it is in `dispatch_record.rs`. No provider is called here, and never inside a transaction.
//!
//! A dispatch's attempt is its fencing token. `attempts.sent_at` is committed just before the irreversible call:
//! a claim that died without it has certainly sent nothing, one that died with it is looked up first.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::{ClaimedDispatch, DispatchStore, NodeId, Outgoing, PortResult};
use letterbox_domain::{
    dispatch::{Channel, DispatchState, Outcome},
    ladder::Subject,
    message::{Email, Otherwise, Text, Wording},
    policy::Policy,
    time::local_date,
};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::case_rows::{CaseRow, case_columns, case_joins};
use super::cases::{from_seconds, seconds};
use super::ladder::{LadderStore, acting, housekeeping};
use super::{Principal, StoreError, Tx, history, locks};
use crate::crash;

/// A message to be queued; its id makes a second one impossible.
pub(super) struct New {
    pub(super) id: Uuid,
    pub(super) case: Uuid,
    pub(super) trust: Uuid,
    pub(super) patient: Uuid,
    pub(super) channel: Channel,
    pub(super) due_at: DateTime<Utc>,
}

const INSERT: &str = "
    INSERT INTO dispatches (id, case_id, trust_id, patient_id, channel, due_at, state)
    SELECT n.*, 'queued'
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[]) AS n
    ON CONFLICT (id) DO NOTHING";

/// Prepares [`insert`], so that it leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(INSERT).await.map(drop)
}

pub(super) async fn insert(tx: &Tx, new: &[New]) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&New) -> Uuid| new.iter().map(of).collect::<Vec<Uuid>>();
    let (ids, cases) = (column(|n| n.id), column(|n| n.case));
    let (trusts, patients) = (column(|n| n.trust), column(|n| n.patient));
    let channels: Vec<&str> = new.iter().map(|n| n.channel.name()).collect();
    let dues: Vec<DateTime<Utc>> = new.iter().map(|n| n.due_at).collect();
    tx.execute(
        INSERT,
        &[&ids, &cases, &trusts, &patients, &channels, &dues],
    )
    .await
    .map(drop)
}

const NEXT_DUE: &str = "
    SELECT extract(epoch FROM least(
        (SELECT due_at FROM dispatches
         WHERE channel = $1 AND state IN ('queued', 'claimed', 'unknown')
           AND (lease_until IS NULL OR lease_until <= app_now())
         ORDER BY due_at LIMIT 1),
        (SELECT min(lease_until) FROM dispatches WHERE channel = $1 AND state = 'claimed' AND lease_until > app_now())
    ) - app_now())::float8";

/// The attempt that a dead node left open is closed: `fenced` if nothing had left yet, else `unknown`. The row's own
/// state before the claim is seen by the outer query, because it reads the snapshot of the statement's beginning.
const CLAIM: &str = concat!(
    "WITH d AS (
        UPDATE dispatches SET state = 'claimed', attempt = attempt + 1, lease_node = $4,
                              lease_until = app_now() + make_interval(secs => $3)
        WHERE id = ANY (ARRAY (
            SELECT id FROM dispatches
            WHERE channel = $1 AND state IN ('queued', 'claimed', 'unknown') AND due_at <= app_now()
              AND (lease_until IS NULL OR lease_until <= app_now())
            ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING *
    ), begun AS (
        INSERT INTO attempts (dispatch_id, attempt, node, started_at) SELECT id, attempt, $4, app_now() FROM d
    ), stale AS (
        UPDATE attempts a SET finished_at = app_now(),
                              outcome = CASE WHEN a.sent_at IS NULL THEN 'fenced' ELSE 'unknown' END
        FROM d WHERE a.dispatch_id = d.id AND a.attempt = d.attempt - 1 AND a.finished_at IS NULL
    )
    SELECT d.id AS dispatch_id, d.attempt,
           was.state = 'unknown' OR EXISTS (
               SELECT FROM attempts a WHERE a.dispatch_id = d.id AND a.sent_at IS NOT NULL
               AND (a.outcome IS NULL OR a.outcome = 'unknown')) AS unknown_before, ",
    case_columns!(),
    " FROM d JOIN dispatches was ON was.id = d.id JOIN cases c ON c.id = d.case_id ",
    case_joins!(),
    " ORDER BY d.due_at"
);

/// What is to become of a message just before it would leave.
enum Verdict {
    Send,
    /// Somebody else holds it, or it is not wanted any more; already written.
    Drop,
    /// It cannot go this way at all: the next step comes forward.
    GiveUp(&'static str),
}

#[async_trait]
impl DispatchStore for LadderStore {
    async fn next_due(&self, channel: Channel) -> PortResult<Option<TimeDelta>> {
        if channel == Channel::Post {
            return Ok(None); // Post leaves in batches, see `print.rs`.
        }
        let tx = self.store.begin(&housekeeping()).await?;
        let row = tx.query_one(NEXT_DUE, &[&channel.name()]).await?;
        tx.commit().await?;
        Ok(row
            .try_get::<_, Option<f64>>(0)
            .map_err(StoreError::from)?
            .map(from_seconds))
    }

    async fn claim(
        &self,
        node: NodeId,
        channel: Channel,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<Vec<ClaimedDispatch>> {
        if channel == Channel::Post {
            return Ok(Vec::new());
        }
        let claim = |tx: Tx| self.claim_messages(tx, node, channel, limit, lease);
        let (claimed, unusable) = self
            .store
            .run("dispatches.claim", &acting(node), claim)
            .await?;
        for (id, attempt, code) in unusable {
            self.fail(
                &acting(node),
                id,
                attempt,
                DispatchState::Failed,
                code,
                None,
            )
            .await?;
        }
        if !claimed.is_empty() {
            crash::point("dispatch.claimed");
        }
        Ok(claimed)
    }

    async fn still_wanted(&self, claimed: &ClaimedDispatch) -> PortResult<bool> {
        let actor = housekeeping();
        let verdict = self
            .store
            .run("dispatches.still_wanted", &actor, |tx| {
                self.judge(tx, &actor, claimed)
            })
            .await?;
        if let Verdict::GiveUp(code) = verdict {
            self.fail(
                &actor,
                claimed.id.as_uuid(),
                claimed.attempt,
                DispatchState::Failed,
                code,
                None,
            )
            .await?;
        }
        Ok(matches!(verdict, Verdict::Send))
    }

    async fn record(&self, claimed: &ClaimedDispatch, outcome: Outcome) -> PortResult<bool> {
        crash::point("dispatch.before_record");
        Ok(self.write_outcome(claimed, &outcome).await?)
    }
}

type Unusable = Vec<(Uuid, i32, &'static str)>;

impl LadderStore {
    async fn claim_messages(
        &self,
        tx: Tx,
        node: NodeId,
        channel: Channel,
        limit: u16,
        lease: TimeDelta,
    ) -> Result<(Vec<ClaimedDispatch>, Unusable), StoreError> {
        let params: super::Params<'_> =
            &[&channel.name(), &i64::from(limit), &seconds(lease), &node.0];
        let rows = tx.query(CLAIM, params).await?;
        let (mut claimed, mut unusable) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            let (id, attempt) = (
                row.try_get::<_, Uuid>("dispatch_id")?,
                row.try_get("attempt")?,
            );
            let unknown_before = row.try_get("unknown_before")?;
            match self.claimed_message(&tx, row, channel, id).await {
                // A case that has ended is found out by `still_wanted`, which cancels.
                Ok(Some(outgoing)) => claimed.push(ClaimedDispatch {
                    id: id.into(),
                    attempt,
                    channel,
                    outgoing,
                    unknown_before,
                }),
                Ok(None) => unusable.push((id, attempt, "no_contact")),
                // One senseless row must not keep its neighbours waiting; see the rescue in `sweeps.rs`.
                Err(StoreError::Corrupt { table, column, why }) => {
                    tracing::error!(dispatch = %id, table, column, why, "a message cannot be made");
                }
                Err(other) => return Err(other),
            }
        }
        Ok((claimed, unusable))
    }

    async fn claimed_message(
        &self,
        tx: &Tx,
        row: &Row,
        channel: Channel,
        id: Uuid,
    ) -> Result<Option<Outgoing>, StoreError> {
        let case = CaseRow::read(row)?;
        let policy = self.policy(tx, case.policy_key()).await?;
        self.outgoing(&case, &policy, channel, id)
    }

    fn outgoing(
        &self,
        case: &CaseRow,
        policy: &Policy,
        channel: Channel,
        id: Uuid,
    ) -> Result<Option<Outgoing>, StoreError> {
        let Some(to) = case.contact(channel) else {
            return Ok(None);
        };
        let wording = Wording {
            service: &self.sender.service,
            otherwise: otherwise(case),
            urgent: case.plan.urgent,
            precision: policy.precision,
            today: local_date(case.now),
        };
        let unfit = |error| StoreError::Unfit(format!("a message cannot be worded: {error}"));
        let (subject, body) = if channel == Channel::Email {
            let email = Email::nudge(&wording, self.sender.portal.as_deref()).map_err(unfit)?;
            (email.subject, email.body)
        } else {
            (
                String::new(),
                Text::nudge(&wording).map_err(unfit)?.body().to_owned(),
            )
        };
        Ok(Some(Outgoing {
            key: id.into(),
            to: to.to_owned(),
            subject,
            body,
        }))
    }

    async fn judge(
        &self,
        tx: Tx,
        actor: &Principal,
        claimed: &ClaimedDispatch,
    ) -> Result<Verdict, StoreError> {
        let Some((case, held)) = lock(&tx, claimed.id.as_uuid()).await? else {
            return Ok(Verdict::Drop);
        };
        let mine = held.attempt == claimed.attempt && held.state == DispatchState::Claimed;
        if self.fenced && !mine {
            finish_attempt(&tx, claimed, "fenced", None).await?;
            return Ok(Verdict::Drop);
        }
        if !case.state.is_open() || case.subject != Subject::Unread {
            return cancel(&tx, actor, &case, claimed).await;
        }
        match case.contact(claimed.channel) {
            None => return Ok(Verdict::GiveUp("no_contact")),
            Some(now) if now != claimed.outgoing.to => {
                return put_back(&tx, claimed, case.now, "contact_changed").await;
            }
            Some(_) => {}
        }
        let policy = self.policy(&tx, case.policy_key()).await?;
        if let Some(hours) = policy.nudge_hours.filter(|hours| !hours.allows(case.now)) {
            return put_back(&tx, claimed, hours.next_allowed(case.now), "quiet").await;
        }
        self.mark_leaving(&tx, actor, &case, claimed).await
    }

    /// At most one repetition, after a look-up, and never silently.
    async fn mark_leaving(
        &self,
        tx: &Tx,
        actor: &Principal,
        case: &CaseRow,
        claimed: &ClaimedDispatch,
    ) -> Result<Verdict, StoreError> {
        let id = claimed.id.as_uuid();
        let row = tx
            .query_one(MAY_HAVE_LEFT, &[&id, &claimed.attempt])
            .await?;
        match row.try_get::<_, i64>(0)? {
            0 => {}
            1 => {
                let mut entry = history_entry(case, claimed, "dispatch.possible_duplicate");
                entry.facts = json!({"attempt": claimed.attempt});
                history::append(tx, actor, &[entry]).await?;
            }
            _ => return Ok(Verdict::GiveUp("outcome_unknown")),
        }
        let marked =
            "UPDATE attempts SET sent_at = app_now() WHERE dispatch_id = $1 AND attempt = $2";
        tx.execute(marked, &[&id, &claimed.attempt]).await?;
        Ok(Verdict::Send)
    }
}

/// Other attempts of which nobody knows whether they reached the provider.
const MAY_HAVE_LEFT: &str = "
    SELECT count(*) FROM attempts
    WHERE dispatch_id = $1 AND attempt <> $2 AND sent_at IS NOT NULL AND (outcome IS NULL OR outcome = 'unknown')";

/// What the message says will happen if it is not opened; nothing that is not certain.
fn otherwise(case: &CaseRow) -> Otherwise {
    let posts = case.plan.paper_ends_case() && case.contacts.address;
    match case.plan.post_at {
        Some(at) if posts && at > case.now => Otherwise::WePost { at },
        Some(_) if posts => Otherwise::Nothing,
        _ => Otherwise::WePhone,
    }
}

/// A dispatch under its lock.
pub(super) struct Held {
    pub(super) attempt: i32,
    pub(super) state: DispatchState,
    pub(super) channel: Channel,
    pub(super) finished_at: Option<DateTime<Utc>>,
}

const HOLD: &str =
    "SELECT attempt, state, channel, finished_at FROM dispatches WHERE id = $1 FOR UPDATE";

/// Locks a dispatch, and its case before it; `None` for a dispatch that does not exist.
pub(super) async fn lock(tx: &Tx, id: Uuid) -> Result<Option<(CaseRow, Held)>, StoreError> {
    let Some(of) = tx
        .query_opt("SELECT case_id FROM dispatches WHERE id = $1", &[&id])
        .await?
    else {
        return Ok(None);
    };
    let Some(case) = locks::cases(tx, &[of.try_get(0)?]).await?.pop() else {
        return Ok(None);
    };
    let row = tx.query_one(HOLD, &[&id]).await?;
    let state = DispatchState::from_name(row.try_get("state")?)
        .ok_or_else(|| StoreError::corrupt("dispatches", "state", "no such state"))?;
    let channel = Channel::from_name(row.try_get("channel")?)
        .ok_or_else(|| StoreError::corrupt("dispatches", "channel", "no such channel"))?;
    let (attempt, finished_at) = (row.try_get("attempt")?, row.try_get("finished_at")?);
    Ok(Some((
        case,
        Held {
            attempt,
            state,
            channel,
            finished_at,
        },
    )))
}

pub(super) async fn finish_attempt(
    tx: &Tx,
    claimed: &ClaimedDispatch,
    outcome: &str,
    code: Option<&str>,
) -> Result<(), StoreError> {
    finish(tx, claimed.id.as_uuid(), claimed.attempt, outcome, code).await
}

/// Closes an attempt; one that is closed keeps its outcome.
pub(super) async fn finish(
    tx: &Tx,
    id: Uuid,
    attempt: i32,
    outcome: &str,
    code: Option<&str>,
) -> Result<(), StoreError> {
    const FINISH: &str = "UPDATE attempts SET finished_at = app_now(), outcome = $3, code = $4
                          WHERE dispatch_id = $1 AND attempt = $2 AND finished_at IS NULL";
    tx.execute(FINISH, &[&id, &attempt, &outcome, &code])
        .await
        .map(drop)
}

/// Opened, withdrawn or told meanwhile: it is not sent.
async fn cancel(
    tx: &Tx,
    actor: &Principal,
    case: &CaseRow,
    claimed: &ClaimedDispatch,
) -> Result<Verdict, StoreError> {
    const CANCEL: &str =
        "UPDATE dispatches SET state = 'cancelled', code = 'not_wanted', finished_at = app_now(),
                          lease_until = NULL, lease_node = NULL WHERE id = $1";
    tx.execute(CANCEL, &[&claimed.id.as_uuid()]).await?;
    finish_attempt(tx, claimed, "cancelled", Some("not_wanted")).await?;
    history::append(
        tx,
        actor,
        &[history_entry(case, claimed, "dispatch.cancelled")],
    )
    .await?;
    Ok(Verdict::Drop)
}

/// Nothing has left: it waits in the queue again.
async fn put_back(
    tx: &Tx,
    claimed: &ClaimedDispatch,
    until: DateTime<Utc>,
    code: &str,
) -> Result<Verdict, StoreError> {
    const PUT_BACK: &str =
        "UPDATE dispatches SET state = 'queued', due_at = $2, lease_until = NULL, lease_node = NULL
                            WHERE id = $1";
    tx.execute(PUT_BACK, &[&claimed.id.as_uuid(), &until])
        .await?;
    finish_attempt(tx, claimed, "cancelled", Some(code)).await?;
    Ok(Verdict::Drop)
}

fn history_entry(case: &CaseRow, claimed: &ClaimedDispatch, kind: &'static str) -> history::Entry {
    entry(
        case,
        claimed.id.as_uuid(),
        kind,
        json!({"attempt": claimed.attempt, "channel": claimed.channel.name()}),
    )
}

/// A line of history about a dispatch.
pub(super) fn entry(
    case: &CaseRow,
    dispatch: Uuid,
    kind: &'static str,
    facts: serde_json::Value,
) -> history::Entry {
    history::Entry {
        trust: case.trust,
        patient: Some(case.patient),
        subject_kind: "dispatch",
        subject: dispatch,
        kind,
        policy_version: Some(case.policy_version),
        facts,
    }
}
