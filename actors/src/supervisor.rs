//! One per trust: sleeps until the next deadline, claims overdue cases under a lease, decides, commits.
//!
//! Any node may claim any trust's cases; the fence in the commit, not the supervisor, makes that safe. It
//! takes the time from the claim, never from a clock, and calls no provider.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    id::TrustId,
    ladder::{Decision, decide},
};

use crate::{
    measures,
    ports::{CaseStore, ClaimedCase, ClaimedCases, CommitReport, PortResult},
    rounds::{Job, Rest, patiently},
    system::Wires,
};

/// Shortest rest while something overdue is in other hands: no spinning on somebody else's locks.
const OTHERS_AT_WORK: Duration = Duration::from_millis(20);

/// The job of one trust's supervisor.
pub(crate) struct Supervisor {
    pub(crate) trust: TrustId,
    pub(crate) cases: Arc<dyn CaseStore>,
    pub(crate) wires: Arc<Wires>,
}

impl Job for Supervisor {
    fn name(&self) -> String {
        format!("supervisor:{}", self.trust)
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        while !self.wires.is_stopping() {
            let claimed = self.claim().await?;
            let full = claimed.cases.len() == usize::from(self.wires.settings.case_batch);
            if !claimed.cases.is_empty() {
                self.settle(claimed).await?;
            }
            if !full {
                break;
            }
        }
        self.rest().await
    }
}

impl Supervisor {
    async fn claim(&self) -> PortResult<ClaimedCases> {
        let settings = &self.wires.settings;
        let lease = TimeDelta::from_std(settings.case_lease).unwrap_or(TimeDelta::MAX);
        let claim = self
            .cases
            .claim_overdue(settings.node, self.trust, settings.case_batch, lease);
        patiently(settings.port_patience, claim).await
    }

    /// Decides all and commits all in one transaction.
    async fn settle(&self, claimed: ClaimedCases) -> PortResult<()> {
        let settings = &self.wires.settings;
        note_lateness(&claimed);
        let decided = decide_all(claimed);
        if decided.is_empty() {
            return Ok(());
        }
        let report = patiently(
            settings.port_patience,
            self.cases.commit(settings.node, decided),
        )
        .await?;
        note(&report);
        self.wires.ring(&report.events);
        for channel in &report.dispatched {
            self.wires.poke_dispatch(*channel);
        }
        self.wires.poke_board(self.trust);
        Ok(())
    }

    async fn rest(&self) -> PortResult<Rest> {
        let settings = &self.wires.settings;
        let due = patiently(settings.port_patience, self.cases.next_due(self.trust)).await?;
        Ok(Rest(until(due, settings.poll)))
    }
}

/// Until the next due, at most `poll`.
pub(crate) fn until(due: Option<TimeDelta>, poll: Duration) -> Duration {
    due.map_or(poll, |due| due.to_std().unwrap_or(Duration::ZERO))
        .clamp(OTHERS_AT_WORK.min(poll), poll)
}

/// A case that breaks the rules' code keeps its lease and shows in the figures; its neighbours go on.
fn decide_all(claimed: ClaimedCases) -> Vec<(ClaimedCase, Decision)> {
    let now = claimed.now;
    claimed
        .cases
        .into_iter()
        .filter_map(|case| decide_one(&case, now).map(|decision| (case, decision)))
        .collect()
}

fn decide_one(case: &ClaimedCase, now: DateTime<Utc>) -> Option<Decision> {
    let decided = catch_unwind(AssertUnwindSafe(|| decide(&case.view, now)));
    if decided.is_err() {
        metrics::counter!(measures::CASES, "result" => "poison").increment(1);
        tracing::error!(case = %case.case, "case.decision_panicked");
    }
    decided.ok()
}

fn note_lateness(claimed: &ClaimedCases) {
    let oldest = claimed.cases.iter().map(|case| case.view.due_at).min();
    if let Some(late) = oldest.and_then(|due| (claimed.now - due).to_std().ok()) {
        metrics::histogram!(measures::CASE_LATENESS_SECONDS).record(late.as_secs_f64());
    }
}

fn note(report: &CommitReport) {
    for (result, count) in [
        ("done", report.done),
        ("lost_lease", report.lost_lease),
        ("ended", report.ended),
    ] {
        metrics::counter!(measures::CASES, "result" => result).increment(count as u64);
    }
    if report.lost_lease > 0 {
        tracing::warn!(lost = report.lost_lease, "cases.lease_lost");
    }
}
