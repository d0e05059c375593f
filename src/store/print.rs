//! Closing print batches: at a cut-off, post that is still wanted is frozen into batches, never to change again.
//! Writing and acknowledging them is in `print_out.rs`.
//!
//! The rows of the cases are locked first, and opening locks them too: what was opened before is not in the batch,
//! and what is in the batch stays in the record of posting. Addresses are read now, not when the letter came.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::NodeId;
use letterbox_domain::{
    dispatch::{Channel, DispatchState},
    event::Event,
    policy::Policy,
    time::{local, local_date, start_of},
};
use serde_json::json;
use uuid::Uuid;

use super::case_commit::promise_changed;
use super::case_rows::CaseRow;
use super::dispatch_record::Failure;
use super::dispatches::{Held, entry};
use super::history::Entry;
use super::ladder::{LadderStore, acting};
use super::print_items::{Item, Left};
use super::{Principal, StoreError, Tx, events, history, locks, policies, print_items, tasks};

/// So many items are closed in one transaction, because their mailboxes are locked meanwhile (a second, with
/// notices to be made); a trust with more closes again at once, in further parts.
pub(super) const CLOSE_ITEMS: i64 = 500;

/// Post that waits, by the instant it waits for.
const WAITING: &str = "
    SELECT DISTINCT due_at FROM dispatches
    WHERE trust_id = $1 AND channel = 'post' AND state = 'queued' AND due_at <= app_now() ORDER BY due_at";

const TRUSTS: &str = "
    SELECT DISTINCT trust_id FROM dispatches WHERE channel = 'post' AND state = 'queued' AND due_at <= app_now()";

/// One node closes a trust's batch at a time; another finds nothing to do and goes on.
const HOLD_TRUST: &str = "
    SELECT ods_code, name, app_now() AS now FROM trusts WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED";

const PARTS: &str = "
    SELECT count(*) FILTER (WHERE cut_off_at = $2) AS parts, count(*) AS today
    FROM print_batches WHERE trust_id = $1 AND cut_off_at >= $3 AND cut_off_at < $4";

const CANDIDATES: &str = "
    SELECT id, case_id, patient_id FROM dispatches
    WHERE trust_id = $1 AND channel = 'post' AND state = 'queued' AND due_at = ANY($2) ORDER BY due_at, id LIMIT $3";

const INSERT_BATCH: &str = "
    INSERT INTO print_batches (id, trust_id, name, cut_off_at, part, state, items) VALUES ($1, $2, $3, $4, $5, 'closed', $6)";

const TAKE: &str = "
    WITH taken AS (
        UPDATE dispatches SET state = 'claimed', attempt = attempt + 1 WHERE id = ANY($1) RETURNING id, attempt
    )
    INSERT INTO attempts (dispatch_id, attempt, node, started_at) SELECT id, attempt, $2, app_now() FROM taken";

/// A trust whose batch is being closed.
pub(super) struct Closing {
    pub(super) trust: Uuid,
    pub(super) ods_code: String,
    pub(super) name: String,
    pub(super) now: DateTime<Utc>,
    /// The newest cut-off that has passed.
    pub(super) cut_off: DateTime<Utc>,
    /// Instants for which the post of this cut-off was queued.
    pub(super) waited_for: Vec<DateTime<Utc>>,
}

/// What one transaction closed.
#[derive(Default)]
struct Closed {
    batches: usize,
    events: Vec<Event>,
    there_is_more: bool,
}

impl LadderStore {
    /// Closes whatever has passed its cut-off; answers how many batches, and the events to ring.
    ///
    /// # Errors
    /// Any [`StoreError`]; trusts closed before stay closed.
    pub(super) async fn close_batches(
        &self,
        node: NodeId,
    ) -> Result<(usize, Vec<Event>), StoreError> {
        let tx = self.store.begin(&acting(node)).await?;
        let trusts = tx.query(TRUSTS, &[]).await?;
        tx.commit().await?;
        let (mut closed, mut events, mut failed) = (0, Vec::new(), None);
        for row in trusts {
            let trust: Uuid = row.try_get(0)?;
            match self.close_all_of(node, trust).await {
                Ok((count, born)) => {
                    closed += count;
                    events.extend(born);
                }
                // A trust that cannot be closed must not keep the others' letters back.
                Err(error) => {
                    tracing::error!(%trust, %error, "a print batch could not be closed");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok((closed, events)),
        }
    }

    async fn close_all_of(
        &self,
        node: NodeId,
        trust: Uuid,
    ) -> Result<(usize, Vec<Event>), StoreError> {
        let (mut closed, mut events) = (0, Vec::new());
        loop {
            let close = |tx: Tx| self.close_trust(tx, node, trust);
            let done = self.store.run("print.close", &acting(node), close).await?;
            closed += done.batches;
            events.extend(done.events);
            if !done.there_is_more {
                return Ok((closed, events));
            }
        }
    }

    async fn close_trust(&self, tx: Tx, node: NodeId, trust: Uuid) -> Result<Closed, StoreError> {
        let Some(closing) = self.closing(&tx, trust).await? else {
            return Ok(Closed::default());
        };
        let candidates = tx
            .query(CANDIDATES, &[&trust, &closing.waited_for, &CLOSE_ITEMS])
            .await?;
        let column = |name| {
            candidates
                .iter()
                .map(|row| Ok(row.try_get(name)?))
                .collect::<Result<Vec<Uuid>, StoreError>>()
        };
        let (dispatches, case_ids, patients) =
            (column("id")?, column("case_id")?, column("patient_id")?);
        locks::patients(&tx, &patients).await?;
        let cases: BTreeMap<Uuid, CaseRow> = locks::cases(&tx, &case_ids)
            .await?
            .into_iter()
            .map(|case| (case.id, case))
            .collect();
        let rows = print_items::queued(&tx, &dispatches).await?;
        let (mut items, mut left) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            match self.item(&tx, &closing, &cases, row).await? {
                Ok(item) => items.push(item),
                Err(why) => left.push(why),
            }
        }
        let actor = acting(node);
        let mut events = self
            .freeze(&tx, &actor, node, &closing, &cases, &items)
            .await?;
        events.extend(self.leave_out(&tx, &actor, &closing, &cases, &left).await?);
        let is_full = i64::try_from(candidates.len()).is_ok_and(|count| count == CLOSE_ITEMS);
        // Items that cannot be read stay in the queue: without progress there is no second round.
        let there_is_more = is_full && !(items.is_empty() && left.is_empty());
        Ok(Closed {
            batches: items.len().div_ceil(self.bounds.batch_items),
            events,
            there_is_more,
        })
    }

    /// The trust under our lock, with its cut-off; `None` when there is nothing to close or another node does.
    async fn closing(&self, tx: &Tx, trust: Uuid) -> Result<Option<Closing>, StoreError> {
        let Some(row) = tx.query_opt(HOLD_TRUST, &[&trust]).await? else {
            return Ok(None);
        };
        let now: DateTime<Utc> = row.try_get("now")?;
        let policy = policies::current(tx, trust.into()).await?;
        let waiting = tx.query(WAITING, &[&trust]).await?;
        let mut waited_for = Vec::with_capacity(waiting.len());
        let mut cut_off = None;
        for row in waiting {
            let due: DateTime<Utc> = row.try_get(0)?;
            let takes = self.cut_off_for(&policy, due);
            if takes <= now {
                waited_for.push(due);
                cut_off = cut_off.max(Some(takes));
            }
        }
        let Some(cut_off) = cut_off else {
            return Ok(None);
        };
        let (ods_code, name) = (row.try_get("ods_code")?, row.try_get("name")?);
        Ok(Some(Closing {
            trust,
            ods_code,
            name,
            now,
            cut_off,
            waited_for,
        }))
    }

    /// The first cut-off at or after `due`; post is queued for a cut-off's own instant, so mostly `due` itself.
    pub(super) fn cut_off_for(&self, policy: &Policy, due: DateTime<Utc>) -> DateTime<Utc> {
        policy
            .cut_offs
            .next_after(due - TimeDelta::microseconds(1), &self.calendars)
    }

    async fn freeze(
        &self,
        tx: &Tx,
        actor: &Principal,
        node: NodeId,
        closing: &Closing,
        cases: &BTreeMap<Uuid, CaseRow>,
        items: &[Item],
    ) -> Result<Vec<Event>, StoreError> {
        let (mut part, mut number) = next_part(tx, closing).await?;
        let mut entries = Vec::with_capacity(items.len() + 1);
        for chunk in items.chunks(self.bounds.batch_items) {
            let batch = Uuid::now_v7();
            let name = batch_name(&closing.ods_code, closing.cut_off, number);
            let count = i32::try_from(chunk.len()).unwrap_or(i32::MAX);
            tx.execute(
                INSERT_BATCH,
                &[
                    &batch,
                    &closing.trust,
                    &name,
                    &closing.cut_off,
                    &part,
                    &count,
                ],
            )
            .await?;
            print_items::insert(tx, batch, chunk).await?;
            entries.push(batch_entry(
                closing.trust,
                batch,
                "batch.closed",
                json!({"name": name, "items": count}),
            ));
            entries.extend(chunk.iter().map(|item| {
                entry(
                    &cases[&item.case],
                    item.dispatch,
                    "dispatch.frozen",
                    json!({"batch": batch, "version": item.version}),
                )
            }));
            (part, number) = (part + 1, number + 1);
        }
        let frozen: Vec<Uuid> = items.iter().map(|item| item.dispatch).collect();
        tx.execute(TAKE, &[&frozen, &node.0]).await?;
        history::append(tx, actor, &entries).await?;
        // The page says "being posted" from here on.
        let heard: Vec<_> = items
            .iter()
            .map(|item| promise_changed(&cases[&item.case], None))
            .collect();
        events::append(tx, &heard).await
    }

    /// What cannot be printed becomes a person's task, and its case is due at once.
    async fn leave_out(
        &self,
        tx: &Tx,
        actor: &Principal,
        closing: &Closing,
        cases: &BTreeMap<Uuid, CaseRow>,
        left: &[Left],
    ) -> Result<Vec<Event>, StoreError> {
        let mut heard = Vec::with_capacity(left.len());
        for why in left {
            let Some(case) = cases.get(&why.case) else {
                continue;
            };
            let open = case.state.is_open();
            let state = if open {
                DispatchState::Failed
            } else {
                DispatchState::Cancelled
            };
            let held = Held {
                attempt: 0,
                state: DispatchState::Queued,
                channel: Channel::Post,
                finished_at: None,
            };
            let failure = Failure {
                state,
                code: why.code,
                bad_contact: None,
            };
            self.write_failure(tx, actor, case, &held, why.dispatch, failure)
                .await?;
            if why.asked && !open && why.code != "not_wanted" {
                tasks::insert(tx, &[self.stand_in(tx, case, why.kind).await?]).await?;
                heard.push(promise_changed(case, None));
            }
            if open {
                tasks::insert(tx, &[self.stand_in(tx, case, why.kind).await?]).await?;
                due_now(tx, &[case.id], false).await?;
                heard.push(promise_changed(case, None));
            }
        }
        tracing::debug!(trust = %closing.trust, left = left.len(), "print items left out");
        events::append(tx, &heard).await
    }

    /// A person's task instead of paper.
    pub(super) async fn stand_in(
        &self,
        tx: &Tx,
        case: &CaseRow,
        kind: tasks::Kind,
    ) -> Result<tasks::New, StoreError> {
        let policy = self.policy(tx, case.policy_key()).await?;
        Ok(tasks::New::about(
            case.trust,
            case.id,
            kind,
            &policy,
            &self.calendars,
            case.known_by,
            case.now,
        ))
    }
}

/// Part and number of the trust's next batch. Parts count within the cut-off, numbers within its day.
async fn next_part(tx: &Tx, closing: &Closing) -> Result<(i16, i64), StoreError> {
    let day = local_date(closing.cut_off);
    let (from, to) = (start_of(day), start_of(day + chrono::Days::new(1)));
    let row = tx
        .query_one(PARTS, &[&closing.trust, &closing.cut_off, &from, &to])
        .await?;
    let parts: i64 = row.try_get("parts")?;
    Ok((
        i16::try_from(parts + 1).unwrap_or(i16::MAX),
        row.try_get::<_, i64>("today")? + 1,
    ))
}

/// The supervisor looks at these cases at once; a decision under way elsewhere is fenced off.
pub(super) async fn due_now(
    tx: &Tx,
    cases: &[Uuid],
    keeps_promise: bool,
) -> Result<(), StoreError> {
    const DUE_NOW: &str = "
        UPDATE cases SET due_at = least(due_at, app_now()), promised_at = CASE WHEN $2 THEN promised_at END,
                         fence = fence + 1, lease_until = NULL, lease_node = NULL
        WHERE id = ANY($1) AND ended_at IS NULL";
    tx.execute(DUE_NOW, &[&cases, &keeps_promise])
        .await
        .map(drop)
}

/// A line of history about a batch.
pub(super) fn batch_entry(
    trust: Uuid,
    batch: Uuid,
    kind: &'static str,
    facts: serde_json::Value,
) -> Entry {
    Entry {
        trust,
        patient: None,
        subject_kind: "batch",
        subject: batch,
        kind,
        policy_version: None,
        facts,
    }
}

/// `LB_RLQ_20261125_01`: the same for ever, because it is stored with the batch.
fn batch_name(ods_code: &str, cut_off: DateTime<Utc>, number: i64) -> String {
    format!(
        "LB_{ods_code}_{}_{number:02}",
        local(cut_off).format("%Y%m%d")
    )
}
