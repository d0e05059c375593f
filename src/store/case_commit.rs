//! Writing what was decided about overdue cases: the climb and all its effects in one transaction, in sets.
//! A decision is written only where its claim's fence still stands and the case is open.
//!
//! A hundred cases take two flights: one locks them, one carries every statement and the COMMIT behind them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join3;
use letterbox_actors::ports::{ClaimedCase, CommitReport, NodeId};
use letterbox_domain::{
    case::CaseEnd,
    circle::ShareKind,
    event::{EventKind, ItemRef},
    id::CaseId,
    ladder::{Decision, Rung, Skip},
    policy::Policy,
    time::Calendars,
};
use serde_json::json;
use uuid::Uuid;

use super::case_rows::{CaseRow, share};
use super::climbs::{self, Climb, has_no_address};
use super::events::NewEvent;
use super::history::Entry;
use super::ladder::{LadderStore, acting};
use super::locks::Held;
use super::{Principal, StoreError, Tx, endings, events, history, locks};

/// The rows are locked and their fences compared already.
const MOVE_ON: &str = "
    UPDATE cases c SET climbed = d.climbed, due_at = d.due_at, promised_at = d.promised_at,
                       lease_until = NULL, lease_node = NULL
    FROM unnest($1::uuid[], $2::int2[], $3::timestamptz[], $4::timestamptz[]) AS d(id, climbed, due_at, promised_at)
    WHERE c.id = d.id";

const ITEMS: &str = "
    SELECT c.id, l.kind AS letter_kind, coalesce(l.restricted, a.restricted) AS restricted,
           coalesce(a.starts_at, la.starts_at) AS known_by
    FROM cases c
    LEFT JOIN letters l ON l.id = c.letter_id
    LEFT JOIN appointments la ON la.id = l.appointment_id
    LEFT JOIN appointments a ON a.id = c.appointment_id
    WHERE c.id = ANY($1)";

impl LadderStore {
    /// Writes and commits; `tx` is used up.
    pub(super) async fn commit_decisions(
        &self,
        tx: Tx,
        node: NodeId,
        decided: &[(ClaimedCase, Decision)],
    ) -> Result<CommitReport, StoreError> {
        let by_case: BTreeMap<Uuid, &(ClaimedCase, Decision)> = decided
            .iter()
            .map(|pair| (pair.0.case.as_uuid(), pair))
            .collect();
        locks::patients(&tx, &heard_by(decided)).await?;
        let ids: Vec<Uuid> = by_case.keys().copied().collect();
        let held = locks::held(&tx, &ids).await?;
        let now = held.first().map_or(DateTime::UNIX_EPOCH, |row| row.now);
        let keys = held.iter().map(|row| (row.trust, row.policy_version));
        let policies = self.policies_of(&tx, keys).await?;
        let items = items(&tx, &speaking(decided)).await?;
        let (mut report, mut batch) = (CommitReport::default(), Batch::default());
        for row in &held {
            let (claimed, decision) = by_case[&row.id];
            if !row.is_open {
                report.ended += 1;
            } else if self.fenced && row.fence != claimed.fence {
                report.lost_lease += 1;
            } else if speaks(decision) && !items.contains_key(&row.id) {
                tracing::error!(case = %row.id, "a case makes no sense");
            } else {
                let policy = &policies[&(row.trust, row.policy_version)];
                batch.add(self, row, policy, decision, items.get(&row.id));
                report.done += 1;
            }
        }
        Box::pin(batch.write(tx, &acting(node), &self.calendars, now, &mut report)).await?;
        Ok(report)
    }
}

/// What an event or a person's task says of the item. Emails and texts need none of it.
struct Item {
    share: ShareKind,
    restricted: bool,
    known_by: Option<DateTime<Utc>>,
}

/// Whether writing a decision may need its [`Item`].
fn speaks(decision: &Decision) -> bool {
    match decision {
        Decision::Climb { rungs, skipped, .. } => {
            !skipped.is_empty()
                || rungs
                    .iter()
                    .any(|rung| !matches!(rung, Rung::Email | Rung::Text))
        }
        Decision::Close { .. } | Decision::Wait { .. } => false,
    }
}

fn speaking(decided: &[(ClaimedCase, Decision)]) -> Vec<Uuid> {
    let speaking = decided.iter().filter(|(_, decision)| speaks(decision));
    speaking
        .map(|(claimed, _)| claimed.case.as_uuid())
        .collect()
}

/// The items of these cases; one that makes no sense is left out, it must not keep its neighbours waiting.
async fn items(tx: &Tx, cases: &[Uuid]) -> Result<BTreeMap<Uuid, Item>, StoreError> {
    if cases.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut found = BTreeMap::new();
    for row in &tx.query(ITEMS, &[&cases]).await? {
        let Ok(share) = share(row) else { continue };
        let item = Item {
            share,
            restricted: row.try_get("restricted")?,
            known_by: row.try_get("known_by")?,
        };
        found.insert(row.try_get("id")?, item);
    }
    Ok(found)
}

/// Mailboxes that hear of these decisions; locked before the cases. Generous: locking one in vain is cheap,
/// locking it late could deadlock (and would be tried again).
fn heard_by(decided: &[(ClaimedCase, Decision)]) -> Vec<Uuid> {
    let hears = |(claimed, decision): &&(ClaimedCase, Decision)| match decision {
        Decision::Climb {
            rungs,
            skipped,
            nudge_at,
            ..
        } => {
            let soon = *nudge_at + TimeDelta::minutes(1);
            let late = claimed.view.plan.post_at.is_none_or(|at| at <= soon);
            rungs.contains(&Rung::Deadline) && late || has_no_address(skipped)
        }
        Decision::Close { .. } | Decision::Wait { .. } => false,
    };
    let ids: BTreeSet<Uuid> = decided
        .iter()
        .filter(hears)
        .map(|(claimed, _)| claimed.patient.as_uuid())
        .collect();
    ids.into_iter().collect()
}

/// What one batch of decisions writes, besides the climbs' own effects.
#[derive(Default)]
struct Batch<'a> {
    climbs: Vec<Climb<'a>>,
    ids: Vec<Uuid>,
    climbed: Vec<i16>,
    due: Vec<DateTime<Utc>>,
    promised: Vec<Option<DateTime<Utc>>>,
    ends: BTreeMap<CaseEnd, Vec<CaseId>>,
    events: Vec<NewEvent>,
    history: Vec<Entry>,
}

impl<'a> Batch<'a> {
    fn add(
        &mut self,
        ladder: &LadderStore,
        row: &Held,
        policy: &'a Policy,
        decision: &'a Decision,
        item: Option<&Item>,
    ) {
        match decision {
            Decision::Close { end } => {
                self.ends.entry(*end).or_default().push(row.id.into());
                self.history.push(ended(row, *end));
            }
            Decision::Wait { until } => self.move_on(row, row.climbed, *until, row.post_at),
            Decision::Climb {
                rungs,
                skipped,
                climbed,
                next_due,
                nudge_at,
            } => {
                let promised = promised(ladder, row, policy, rungs, skipped);
                if promised != row.post_at || has_no_address(skipped) {
                    let changed = |item| promise_of(row, item, promised);
                    self.events.extend(item.map(changed));
                }
                self.move_on(
                    row,
                    i16::try_from(*climbed).unwrap_or(i16::MAX),
                    *next_due,
                    promised,
                );
                self.climbs.push(Climb {
                    case: row.id,
                    trust: row.trust,
                    patient: row.patient,
                    subject: row.letter.unwrap_or(row.id),
                    policy,
                    rungs,
                    skipped,
                    nudge_at: *nudge_at,
                    post_at: promised,
                    known_by: item.and_then(|item| item.known_by),
                    climbed: *climbed,
                    next_due: *next_due,
                });
            }
        }
    }

    fn move_on(
        &mut self,
        row: &Held,
        climbed: i16,
        due: DateTime<Utc>,
        promised: Option<DateTime<Utc>>,
    ) {
        self.ids.push(row.id);
        self.climbed.push(climbed);
        self.due.push(due);
        self.promised.push(promised);
    }

    /// Nothing has to be asked or numbered before COMMIT.
    fn is_plain(&self) -> bool {
        self.ends.is_empty() && self.events.is_empty() && !self.climbs.iter().any(Climb::is_watched)
    }

    async fn write(
        self,
        tx: Tx,
        actor: &Principal,
        calendars: &Calendars,
        now: DateTime<Utc>,
        report: &mut CommitReport,
    ) -> Result<(), StoreError> {
        // Once prepared, what follows leaves at its first poll, in this order, without waiting for answers.
        climbs::prepare(&tx).await?;
        tx.prepared(MOVE_ON).await?;
        let climb = climbs::apply(&tx, actor, calendars, now, &self.climbs);
        if self.is_plain() {
            let (climbed, moved, committed) =
                join3(climb, self.move_cases(&tx), tx.clone().commit()).await;
            // A lost connection fails the statements too, but only COMMIT's own error says that it may have happened.
            if matches!(committed, Err(StoreError::CommitUnknown)) {
                return committed;
            }
            report.dispatched = climbed?;
            return moved.and(committed);
        }
        report.dispatched = climb.await?;
        self.move_cases(&tx).await?;
        for (end, cases) in &self.ends {
            endings::end(&tx, cases, *end, None).await?;
        }
        history::append(&tx, actor, &self.history).await?;
        report.events = events::append(&tx, &self.events).await?;
        tx.commit().await
    }

    async fn move_cases(&self, tx: &Tx) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let params: super::Params<'_> = &[&self.ids, &self.climbed, &self.due, &self.promised];
        tx.execute(MOVE_ON, params).await.map(drop)
    }
}

/// The cut-off that takes the item: as promised or, after an outage, the next one; none without an address.
fn promised(
    ladder: &LadderStore,
    row: &Held,
    policy: &Policy,
    rungs: &[Rung],
    skipped: &[Skip],
) -> Option<DateTime<Utc>> {
    if has_no_address(skipped) {
        return None;
    }
    let posts = rungs.contains(&Rung::Deadline);
    match row.post_at {
        Some(at) if posts && at <= row.now => {
            Some(policy.cut_offs.next_after(row.now, &ladder.calendars))
        }
        other => other,
    }
}

fn promise_of(row: &Held, item: &Item, promised: Option<DateTime<Utc>>) -> NewEvent {
    NewEvent {
        patient: row.patient.into(),
        kind: EventKind::PromiseChanged,
        item: match (row.letter, row.appointment) {
            (Some(letter), _) => ItemRef::Letter(letter.into()),
            (None, appointment) => ItemRef::Appointment(appointment.unwrap_or_default().into()),
        },
        share: item.share,
        restricted: item.restricted,
        due: promised,
    }
}

fn ended(row: &Held, end: CaseEnd) -> Entry {
    Entry {
        trust: row.trust,
        patient: Some(row.patient),
        subject_kind: "case",
        subject: row.id,
        kind: "case.ended",
        policy_version: Some(row.policy_version),
        facts: json!({"end": end.name(), "found_by": "supervisor"}),
    }
}

/// The mailbox hears that the promise is another one now.
pub(super) fn promise_changed(row: &CaseRow, promised: Option<DateTime<Utc>>) -> NewEvent {
    NewEvent {
        patient: row.patient.into(),
        kind: EventKind::PromiseChanged,
        item: row.item(),
        share: row.share,
        restricted: row.restricted,
        due: promised,
    }
}

/// A line of history about a case.
pub(super) fn entry(row: &CaseRow, kind: &'static str, facts: serde_json::Value) -> Entry {
    Entry {
        trust: row.trust,
        patient: Some(row.patient),
        subject_kind: "case",
        subject: row.id,
        kind,
        policy_version: Some(row.policy_version),
        facts,
    }
}
