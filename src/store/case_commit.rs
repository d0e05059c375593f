//! Writing what was decided about overdue cases: the climb and all its effects in one transaction, in sets.
//! A decision is written only where its claim's fence still stands and the case is open.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::{ClaimedCase, CommitReport, NodeId};
use letterbox_domain::{
    case::CaseEnd,
    event::EventKind,
    id::CaseId,
    ladder::{Decision, Rung, Skip},
    policy::Policy,
};
use serde_json::json;
use uuid::Uuid;

use super::case_rows::CaseRow;
use super::climbs::{self, Climb, has_no_address};
use super::events::NewEvent;
use super::history::Entry;
use super::ladder::{LadderStore, acting};
use super::{StoreError, Tx, endings, events, history, locks};

/// The rows are locked and their fences compared already.
const MOVE_ON: &str = "
    UPDATE cases c SET climbed = d.climbed, due_at = d.due_at, promised_at = d.promised_at,
                       lease_until = NULL, lease_node = NULL
    FROM unnest($1::uuid[], $2::int2[], $3::timestamptz[], $4::timestamptz[]) AS d(id, climbed, due_at, promised_at)
    WHERE c.id = d.id";

impl LadderStore {
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
        let rows = locks::cases(&tx, &ids).await?;
        let now = rows.first().map_or(DateTime::UNIX_EPOCH, |row| row.now);
        let policies = self.policies_of(&tx, &rows).await?;
        let (mut report, mut batch) = (CommitReport::default(), Batch::default());
        for row in &rows {
            let (claimed, decision) = by_case[&row.id];
            if !row.state.is_open() {
                report.ended += 1;
            } else if self.fenced && row.fence != claimed.fence {
                report.lost_lease += 1;
            } else {
                batch.add(self, row, &policies[&row.policy_key()], decision);
                report.done += 1;
            }
        }
        report.dispatched =
            climbs::apply(&tx, &acting(node), &self.calendars, now, &batch.climbs).await?;
        report.events = batch.write(&tx, node).await?;
        Ok(report)
    }
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
        row: &CaseRow,
        policy: &'a Policy,
        decision: &'a Decision,
    ) {
        match decision {
            Decision::Close { end } => {
                self.ends.entry(*end).or_default().push(row.id.into());
                self.history.push(entry(
                    row,
                    "case.ended",
                    json!({"end": end.name(), "found_by": "supervisor"}),
                ));
            }
            Decision::Wait { until } => self.move_on(row, row.climbed, *until, row.plan.post_at),
            Decision::Climb {
                rungs,
                skipped,
                climbed,
                next_due,
                nudge_at,
            } => {
                let promised = promised(ladder, row, policy, rungs, skipped);
                if promised != row.plan.post_at || has_no_address(skipped) {
                    self.events.push(promise_changed(row, promised));
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
                    subject: row.effect_subject(),
                    policy,
                    rungs,
                    skipped,
                    nudge_at: *nudge_at,
                    post_at: promised,
                    known_by: row.known_by,
                    climbed: *climbed,
                    next_due: *next_due,
                });
            }
        }
    }

    fn move_on(
        &mut self,
        row: &CaseRow,
        climbed: i16,
        due: DateTime<Utc>,
        promised: Option<DateTime<Utc>>,
    ) {
        self.ids.push(row.id);
        self.climbed.push(climbed);
        self.due.push(due);
        self.promised.push(promised);
    }

    async fn write(
        self,
        tx: &Tx,
        node: NodeId,
    ) -> Result<Vec<letterbox_domain::event::Event>, StoreError> {
        if !self.ids.is_empty() {
            tx.execute(
                MOVE_ON,
                &[&self.ids, &self.climbed, &self.due, &self.promised],
            )
            .await?;
        }
        for (end, cases) in &self.ends {
            endings::end(tx, cases, *end, None).await?;
        }
        history::append(tx, &acting(node), &self.history).await?;
        events::append(tx, &self.events).await
    }
}

/// The cut-off that takes the item: as promised or, after an outage, the next one; none without an address.
fn promised(
    ladder: &LadderStore,
    row: &CaseRow,
    policy: &Policy,
    rungs: &[Rung],
    skipped: &[Skip],
) -> Option<DateTime<Utc>> {
    if has_no_address(skipped) {
        return None;
    }
    let posts = rungs.contains(&Rung::Deadline);
    match row.plan.post_at {
        Some(at) if posts && at <= row.now => {
            Some(policy.cut_offs.next_after(row.now, &ladder.calendars))
        }
        other => other,
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
