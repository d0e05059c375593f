//! The hospital as a [`CaseStore`]: claims under a lease, commits under a fence.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    case::CaseState,
    dispatch::{Channel, DispatchState, effect_id},
    event::EventKind,
    id::{CaseId, TrustId},
    ladder::{CaseView, Contacts, Decision, Rung},
};

use super::hospital::Hospital;
use super::state::{Case, Dispatch, State};
use crate::ports::{CaseStore, ClaimedCase, ClaimedCases, CommitReport, NodeId, PortResult};

#[async_trait]
impl CaseStore for Hospital {
    async fn next_due(&self, trust: TrustId) -> PortResult<Option<TimeDelta>> {
        self.reach().await?;
        let now = self.now();
        let state = self.lock();
        let open = state
            .cases
            .values()
            .filter(|case| case.trust == trust && case.end.is_none());
        let next = open.map(|case| {
            case.lease_until
                .filter(|until| *until > now)
                .unwrap_or(case.due_at)
                .max(case.due_at)
        });
        Ok(next.min().map(|at| at - now))
    }

    async fn claim_overdue(
        &self,
        _: NodeId,
        trust: TrustId,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<ClaimedCases> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let mut overdue: Vec<_> = state
            .cases
            .iter_mut()
            .filter(|(_, case)| case.can_be_claimed(trust, now))
            .collect();
        overdue.sort_by_key(|(_, case)| case.due_at);
        let cases = overdue
            .into_iter()
            .take(usize::from(limit))
            .map(|(id, case)| {
                case.fence += 1;
                case.lease_until = Some(now + lease);
                ClaimedCase {
                    case: *id,
                    fence: case.fence,
                    patient: case.patient,
                    view: self.view(case),
                }
            });
        Ok(ClaimedCases {
            now,
            cases: cases.collect(),
        })
    }

    async fn commit(
        &self,
        _: NodeId,
        decided: Vec<(ClaimedCase, Decision)>,
    ) -> PortResult<CommitReport> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let mut report = CommitReport::default();
        for (claimed, decision) in decided {
            state.commit_one(now, &claimed, decision, &mut report);
        }
        Ok(report)
    }

    async fn trusts(&self) -> PortResult<Vec<TrustId>> {
        self.reach().await?;
        Ok(self.lock().trusts.iter().copied().collect())
    }
}

impl Hospital {
    fn view(&self, case: &Case) -> CaseView {
        CaseView {
            state: case.end.map_or(CaseState::Open, CaseState::Ended),
            subject: case.subject,
            plan: case.plan.clone(),
            climbed: case.climbed,
            due_at: case.due_at,
            contacts: Contacts::ALL,
            nudge_hours: self.nudge_hours(),
            recheck_every: if case.poisoned {
                TimeDelta::MAX
            } else {
                self.recheck()
            },
        }
    }
}

impl Case {
    fn can_be_claimed(&self, trust: TrustId, now: DateTime<Utc>) -> bool {
        let free = self.lease_until.is_none_or(|until| until <= now);
        self.trust == trust && self.end.is_none() && self.due_at <= now && free
    }
}

impl State {
    fn commit_one(
        &mut self,
        now: DateTime<Utc>,
        claimed: &ClaimedCase,
        decision: Decision,
        report: &mut CommitReport,
    ) {
        let Some(case) = self.cases.get_mut(&claimed.case) else {
            return;
        };
        if case.end.is_some() {
            report.ended += 1;
            return;
        }
        if case.fence != claimed.fence {
            report.lost_lease += 1;
            return;
        }
        report.done += 1;
        let trust = case.trust;
        case.lease_until = None;
        match decision {
            Decision::Close { end } => self.end(claimed.case, end),
            Decision::Wait { until } => case.due_at = until,
            Decision::Climb {
                rungs,
                climbed,
                next_due,
                nudge_at,
                ..
            } => {
                (case.climbed, case.due_at) = (climbed, next_due);
                for rung in rungs {
                    self.climb(now, claimed.case, rung, nudge_at, report);
                }
            }
        }
        self.touch(trust);
    }

    fn climb(
        &mut self,
        now: DateTime<Utc>,
        id: CaseId,
        rung: Rung,
        nudge_at: DateTime<Utc>,
        report: &mut CommitReport,
    ) {
        let Some(case) = self.cases.get(&id) else {
            return;
        };
        let (patient, letter) = (case.patient, case.letter);
        let (channel, due_at) = match rung {
            Rung::Email => (Channel::Email, nudge_at),
            Rung::Text => (Channel::Text, nudge_at),
            Rung::Deadline => (Channel::Post, now),
            Rung::PhoneTask | Rung::PrintCheck | Rung::TaskCheck => {
                self.tasks += 1;
                return;
            }
        };
        let key = effect_id(letter.as_uuid(), rung).into();
        self.dispatches
            .entry(key)
            .or_insert_with(|| Dispatch::queued(id, patient, channel, due_at));
        if due_at <= now {
            report.dispatched.insert(channel);
        }
        if rung == Rung::Deadline {
            report
                .events
                .push(self.happened(now, patient, letter, EventKind::PromiseChanged));
        }
    }
}

impl Dispatch {
    fn queued(
        case: CaseId,
        patient: letterbox_domain::id::PatientId,
        channel: Channel,
        due_at: DateTime<Utc>,
    ) -> Self {
        Self {
            case,
            patient,
            channel,
            state: DispatchState::Queued,
            due_at,
            attempt: 0,
            sent: false,
            lease_until: None,
        }
    }
}
