//! Closed batches on their way out: reading them for the press, noting that they stand in its folder, and taking in
//! what the print house says. An item is posted once; a repeated acknowledgement changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::{
    Ack, Batch, BatchItem, NodeId, PortResult, Postage, PrintStore, Verdict,
};
use letterbox_domain::{
    case::{Annotation, CaseEnd, Ending},
    event::{Event, EventKind},
    id::{BatchId, CaseId},
};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::case_commit::{entry as case_entry, promise_changed};
use super::case_rows::CaseRow;
use super::ladder::{LadderStore, acting, housekeeping};
use super::print::{batch_entry, due_now};
use super::{StoreError, Tx, endings, events, history, locks, policies, tasks};
use crate::crash;

/// Saves work, not lives: a second writer writes the same folder under the same name. Short, so that a batch whose
/// writer was killed is written again soon.
const WRITING: f64 = 20.0;

const UNFINISHED: &str = "
    WITH mine AS (
        SELECT id FROM print_batches
        WHERE state = 'closed' AND (lease_until IS NULL OR lease_until <= app_now() OR lease_node = $2)
        ORDER BY closed_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE print_batches b SET lease_until = app_now() + make_interval(secs => $3), lease_node = $2
    FROM mine WHERE b.id = mine.id RETURNING b.id, b.name";

const CONTENT: &str = "
    SELECT i.dispatch_id, i.subject_id, i.version, i.address_lines, i.postage, i.format_need,
           d.content, d.sha256, d.pages
    FROM print_items i JOIN documents d ON d.id = i.document_id WHERE i.batch_id = $1 ORDER BY i.subject_id";

const WRITTEN: &str = "
    WITH done AS (
        UPDATE print_batches SET state = 'written', written_at = app_now(), lease_until = NULL, lease_node = NULL
        WHERE id = $1 AND state = 'closed' RETURNING id, trust_id
    ), sent AS (
        UPDATE dispatches SET state = 'accepted', provider_reference = NULL
        WHERE state = 'claimed' AND id IN (SELECT i.dispatch_id FROM print_items i JOIN done ON i.batch_id = done.id)
        RETURNING id, attempt
    ), handed AS (
        UPDATE attempts a SET sent_at = app_now(), finished_at = app_now(), outcome = 'accepted'
        FROM sent WHERE a.dispatch_id = sent.id AND a.attempt = sent.attempt
    )
    SELECT trust_id FROM done";

const BATCH: &str = "SELECT id, trust_id, state FROM print_batches WHERE name = $1 FOR UPDATE";

const AWAITED: &str = "
    SELECT i.subject_id, i.dispatch_id, d.case_id, d.patient_id, d.asked_at IS NOT NULL AS asked FROM print_items i JOIN dispatches d ON d.id = i.dispatch_id
    WHERE i.batch_id = $1 AND i.state = 'sent' AND i.subject_id = ANY($2)";

const SETTLE: &str = "
    WITH item AS (
        UPDATE print_items SET state = $3, code = $4 WHERE dispatch_id = ANY($1) AND state = 'sent' RETURNING dispatch_id
    )
    UPDATE dispatches d SET state = $2, code = $4, finished_at = app_now() FROM item WHERE d.id = item.dispatch_id
    RETURNING d.id";

const POSTED: &str =
    "UPDATE letters SET posted_at = coalesce(posted_at, app_now()) WHERE id = ANY($1)";

const TOLD: &str =
    "UPDATE notices SET closed_at = app_now() WHERE case_id = ANY($1) AND closed_at IS NULL";

const ALL_IN: &str = "
    WITH done AS (
        UPDATE print_batches b SET state = 'acknowledged', acknowledged_at = app_now()
        WHERE b.id = $1 AND b.state <> 'acknowledged'
          AND NOT EXISTS (SELECT FROM print_items i WHERE i.batch_id = b.id AND i.state = 'sent')
        RETURNING b.id
    )
    UPDATE tasks t SET closed_at = app_now(), outcome = 'resolved' FROM done
    WHERE t.batch_id = done.id AND t.closed_at IS NULL";

#[async_trait]
impl PrintStore for LadderStore {
    async fn next_cut_off(&self) -> PortResult<Option<TimeDelta>> {
        Ok(self.next_cut_off_in().await?)
    }

    async fn close_due_batches(&self, node: NodeId) -> PortResult<usize> {
        let (closed, events) = self.close_batches(node).await?;
        tracing::debug!(closed, events = events.len(), "print batches closed");
        Ok(closed)
    }

    async fn unfinished(&self, node: NodeId, limit: u16) -> PortResult<Vec<Batch>> {
        let read = |tx: Tx| async move {
            let rows = tx
                .query(UNFINISHED, &[&i64::from(limit), &node.0, &WRITING])
                .await?;
            let mut batches = Vec::with_capacity(rows.len());
            for row in rows {
                let (id, name): (Uuid, String) = (row.try_get("id")?, row.try_get("name")?);
                let items = tx.query(CONTENT, &[&id]).await?;
                let items = items.iter().map(item).collect::<Result<Vec<_>, _>>()?;
                batches.push(Batch {
                    id: id.into(),
                    name,
                    items,
                });
            }
            Ok::<_, StoreError>(batches)
        };
        Ok(self
            .store
            .run("print.unfinished", &acting(node), read)
            .await?)
    }

    async fn written(&self, batch: BatchId) -> PortResult<()> {
        let write = |tx: Tx| async move {
            let Some(row) = tx.query_opt(WRITTEN, &[&batch.as_uuid()]).await? else {
                return Ok::<_, StoreError>(());
            };
            let entry = batch_entry(row.try_get(0)?, batch.as_uuid(), "batch.written", json!({}));
            history::append(&tx, &housekeeping(), &[entry]).await
        };
        Ok(self
            .store
            .run("print.written", &housekeeping(), write)
            .await?)
    }

    async fn acknowledge(&self, acks: Vec<Ack>) -> PortResult<Vec<Event>> {
        crash::point("print.acked");
        let mut by_batch: BTreeMap<&str, Vec<&Ack>> = BTreeMap::new();
        for ack in &acks {
            by_batch.entry(&ack.batch_name).or_default().push(ack);
        }
        let mut born = Vec::new();
        for (name, acks) in &by_batch {
            let take = |tx: Tx| self.acknowledge_batch(tx, name, acks);
            born.extend(
                self.store
                    .run("print.acknowledge", &housekeeping(), take)
                    .await?,
            );
        }
        Ok(born)
    }
}

/// The items of one batch that are still awaited, by subject.
struct Awaited {
    dispatch: Uuid,
    case: Uuid,
    /// The patient asked for this paper, so it matters even where the case has ended.
    asked: bool,
}

impl LadderStore {
    async fn next_cut_off_in(&self) -> Result<Option<TimeDelta>, StoreError> {
        const FIRST: &str = "
            SELECT trust_id, min(due_at) AS due_at, app_now() AS now FROM dispatches
            WHERE channel = 'post' AND state = 'queued' GROUP BY trust_id";
        let tx = self.store.begin(&housekeeping()).await?;
        let mut next: Option<TimeDelta> = None;
        for row in tx.query(FIRST, &[]).await? {
            let policy = policies::current(&tx, row.try_get::<_, Uuid>("trust_id")?.into()).await?;
            let (due, now): (DateTime<Utc>, DateTime<Utc>) =
                (row.try_get("due_at")?, row.try_get("now")?);
            let wait = self.cut_off_for(&policy, due) - now;
            next = Some(next.map_or(wait, |least| least.min(wait)));
        }
        tx.commit().await?;
        Ok(next)
    }

    async fn acknowledge_batch(
        &self,
        tx: Tx,
        name: &str,
        acks: &[&Ack],
    ) -> Result<Vec<Event>, StoreError> {
        let Some(batch) = tx
            .query_opt("SELECT id FROM print_batches WHERE name = $1", &[&name])
            .await?
        else {
            tracing::warn!(
                batch = name,
                "the print house acknowledges a batch that is not ours"
            );
            return Ok(Vec::new());
        };
        let batch: Uuid = batch.try_get(0)?;
        let subjects: Vec<Uuid> = acks.iter().map(|ack| ack.item).collect();
        let rows = tx.query(AWAITED, &[&batch, &subjects]).await?;
        let (mut awaited, mut patients) = (BTreeMap::new(), Vec::with_capacity(rows.len()));
        for row in &rows {
            patients.push(row.try_get("patient_id")?);
            let one = Awaited {
                dispatch: row.try_get("dispatch_id")?,
                case: row.try_get("case_id")?,
                asked: row.try_get("asked")?,
            };
            awaited.insert(row.try_get::<_, Uuid>("subject_id")?, one);
        }
        locks::patients(&tx, &patients).await?;
        let ids: Vec<Uuid> = awaited.values().map(|one| one.case).collect();
        let cases: BTreeMap<Uuid, CaseRow> = locks::cases(&tx, &ids)
            .await?
            .into_iter()
            .map(|case| (case.id, case))
            .collect();
        let trust = tx.query_one(BATCH, &[&name]).await?.try_get("trust_id")?;
        // By dispatch: the same thing may be said twice in one go.
        let (mut heard, mut posted) = (Vec::with_capacity(acks.len()), BTreeMap::new());
        for ack in acks {
            let Some((one, case)) = awaited
                .get(&ack.item)
                .and_then(|one| Some((one, cases.get(&one.case)?)))
            else {
                continue; // Said before, or not in this batch.
            };
            match &ack.verdict {
                Verdict::Posted => {
                    posted.insert(one.dispatch, case);
                }
                Verdict::Rejected { code } => {
                    heard.extend(self.rejected(&tx, one, case, code).await?);
                }
            }
        }
        heard.extend(self.posted(&tx, posted).await?);
        if tx.execute(ALL_IN, &[&batch]).await? > 0 {
            tracing::debug!(batch = name, "an incident about a silent batch is over");
        }
        let entry = batch_entry(trust, batch, "batch.heard", json!({"items": heard.len()}));
        history::append(&tx, &housekeeping(), &[entry]).await?;
        events::append(&tx, &heard).await
    }

    /// All at once: their patients stay locked until the end, so every round trip keeps others waiting.
    async fn posted(
        &self,
        tx: &Tx,
        mut items: BTreeMap<Uuid, &CaseRow>,
    ) -> Result<Vec<events::NewEvent>, StoreError> {
        let dispatches: Vec<Uuid> = items.keys().copied().collect();
        // Of the same acknowledgement twice at once, one finds nothing to settle.
        let settled = settle(tx, &dispatches, "delivered", "posted", None).await?;
        items.retain(|dispatch, _| settled.contains(dispatch));
        let letters: Vec<Uuid> = items.values().filter_map(|case| case.letter).collect();
        tx.execute(POSTED, &[&letters]).await?;
        let cases: Vec<Uuid> = items.values().map(|case| case.id).collect();
        tx.execute(TOLD, &[&cases]).await?;
        let mut ends: BTreeMap<CaseEnd, Vec<CaseId>> = BTreeMap::new();
        let (mut lines, mut heard) = (Vec::new(), Vec::new());
        for (dispatch, case) in items {
            let mut facts = json!({"dispatch": dispatch});
            match case
                .state
                .hears(CaseEnd::Posted, case.plan.paper_ends_case())
            {
                Ending::Ends(end) => {
                    ends.entry(end).or_default().push(case.id.into());
                    facts["ends"] = json!(true);
                }
                Ending::Noted(annotation) => {
                    facts["noted"] = json!(annotation.name());
                    self.owe(tx, case, annotation).await?;
                }
                Ending::Known => {}
            }
            lines.push(case_entry(case, "case.posted", facts));
            heard.push(posted_event(case));
        }
        for (end, cases) in ends {
            endings::end(tx, &cases, end, None).await?;
        }
        history::append(tx, &housekeeping(), &lines).await?;
        Ok(heard)
    }

    /// What was posted and must not have been is put right by a person.
    async fn owe(&self, tx: &Tx, case: &CaseRow, annotation: Annotation) -> Result<(), StoreError> {
        if annotation.needs_a_person() {
            tasks::insert(
                tx,
                &[self.stand_in(tx, case, tasks::Kind::Correction).await?],
            )
            .await?;
        }
        Ok(())
    }

    async fn rejected(
        &self,
        tx: &Tx,
        one: &Awaited,
        case: &CaseRow,
        code: &str,
    ) -> Result<Option<events::NewEvent>, StoreError> {
        let settled = settle(tx, &[one.dispatch], "rejected", "rejected", Some(code)).await?;
        if settled.is_empty() {
            return Ok(None);
        }
        let facts = json!({"dispatch": one.dispatch, "code": code});
        history::append(
            tx,
            &housekeeping(),
            &[case_entry(case, "case.print_rejected", facts)],
        )
        .await?;
        if !case.state.is_open() && !one.asked {
            return Ok(None);
        }
        tasks::insert(
            tx,
            &[self.stand_in(tx, case, tasks::Kind::PrintRejected).await?],
        )
        .await?;
        due_now(tx, &[case.id], false).await?;
        Ok(Some(promise_changed(case, None)))
    }
}

/// What the print house said of these; answers those of which it had not said anything before.
async fn settle(
    tx: &Tx,
    dispatches: &[Uuid],
    dispatch_state: &str,
    item_state: &str,
    code: Option<&str>,
) -> Result<BTreeSet<Uuid>, StoreError> {
    let rows = tx
        .query(SETTLE, &[&dispatches, &dispatch_state, &item_state, &code])
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Letters have an event of their own; for an appointment's notice the promise is kept, which changes its line.
fn posted_event(case: &CaseRow) -> events::NewEvent {
    let promise = promise_changed(case, None);
    if case.letter.is_some() {
        events::NewEvent {
            kind: EventKind::LetterPosted,
            ..promise
        }
    } else {
        promise
    }
}

fn item(row: &Row) -> Result<BatchItem, StoreError> {
    let sha256: Vec<u8> = row.try_get("sha256")?;
    let sha256 = sha256
        .try_into()
        .map_err(|_| StoreError::corrupt("documents", "sha256", "not 32 bytes"))?;
    let postage = match row.try_get::<_, &str>("postage")? {
        "first" => Postage::First,
        "second" => Postage::Second,
        "economy" => Postage::Economy,
        _ => {
            return Err(StoreError::corrupt(
                "print_items",
                "postage",
                "no such class",
            ));
        }
    };
    Ok(BatchItem {
        dispatch: row.try_get::<_, Uuid>("dispatch_id")?.into(),
        subject: row.try_get("subject_id")?,
        version: row.try_get("version")?,
        pdf: Bytes::from(row.try_get::<_, Vec<u8>>("content")?),
        sha256,
        pages: row.try_get("pages")?,
        address_lines: row.try_get("address_lines")?,
        postage,
        format: row
            .try_get::<_, Option<String>>("format_need")?
            .unwrap_or_else(|| "standard".to_owned()),
    })
}
