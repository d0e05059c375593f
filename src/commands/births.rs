//! How a case is born: planned, and with the steps that are due at once already taken.

use chrono::{DateTime, Utc};
use letterbox_domain::case::CaseState;
use letterbox_domain::id::{CaseId, PatientId, TrustId};
use letterbox_domain::ladder::{
    CaseView, Contacts, Decision, Plan, Rung, Skip, SkipReason, Subject, decide,
};
use letterbox_domain::policy::Policy;
use uuid::Uuid;

use crate::store::climbs::Climb;
use crate::store::letters::NewCase;
use crate::store::standing::CaseFacts;

/// A case about to be written, and what its first steps were.
#[derive(Clone, Debug)]
pub(super) struct Birth {
    /// As it is written.
    pub(super) case: NewCase,
    /// Steps taken by the transaction that writes it.
    pub(super) climbed: Option<Climbed>,
}

/// Steps taken.
#[derive(Clone, Debug)]
pub(super) struct Climbed {
    rungs: Vec<Rung>,
    skipped: Vec<Skip>,
    nudge_at: DateTime<Utc>,
}

impl Birth {
    /// A case whose plan runs from now.
    pub(super) fn now(
        id: CaseId,
        plan: Plan,
        policy: &Policy,
        contacts: Contacts,
        now: DateTime<Utc>,
    ) -> Self {
        let view = CaseView {
            state: CaseState::Open,
            subject: Subject::Unread,
            due_at: plan.first_due(),
            plan: plan.clone(),
            climbed: 0,
            contacts,
            nudge_hours: policy.nudge_hours,
            recheck_every: policy.recheck_every(),
        };
        match decide(&view, now) {
            Decision::Climb {
                rungs,
                skipped,
                climbed,
                next_due,
                nudge_at,
            } => Self {
                case: NewCase {
                    id,
                    policy_version: policy.version,
                    climbed,
                    due_at: next_due,
                    plan,
                },
                climbed: Some(Climbed {
                    rungs,
                    skipped,
                    nudge_at,
                }),
            },
            Decision::Wait { .. } | Decision::Close { .. } => Self::later(id, plan, policy, now),
        }
    }

    /// A case whose plan runs from later on; nothing is due before `earliest`.
    pub(super) fn later(id: CaseId, plan: Plan, policy: &Policy, earliest: DateTime<Utc>) -> Self {
        let due_at = plan.first_due().max(earliest);
        Self {
            case: NewCase {
                id,
                policy_version: policy.version,
                climbed: 0,
                due_at,
                plan,
            },
            climbed: None,
        }
    }

    /// What the steps taken mean, to be written once the case's row is.
    pub(super) fn climb<'a>(&'a self, of: &Of<'a>) -> Option<Climb<'a>> {
        let climbed = self.climbed.as_ref()?;
        Some(Climb {
            case: self.case.id.as_uuid(),
            trust: of.trust.as_uuid(),
            patient: of.patient.as_uuid(),
            subject: of.subject.unwrap_or(self.case.id.as_uuid()),
            policy: of.policy,
            rungs: &climbed.rungs,
            skipped: &climbed.skipped,
            nudge_at: climbed.nudge_at,
            post_at: self.case.plan.post_at,
            known_by: of.known_by,
            climbed: self.case.climbed,
            next_due: self.case.due_at,
        })
    }

    /// As the promise line looks at it.
    pub(super) fn facts(&self, now: DateTime<Utc>) -> CaseFacts {
        let nowhere = |climbed: &Climbed| {
            climbed
                .skipped
                .iter()
                .any(|skip| skip.why == SkipReason::NoAddress)
        };
        CaseFacts {
            policy_version: self.case.policy_version,
            phones: self.case.plan.at(Rung::PhoneTask).is_some(),
            created_at: now,
            deadline_at: self.case.plan.deadline,
            promised_at: self.case.plan.post_at,
            end: None,
            end_detail: None,
            batch_closed_at: None,
            in_hand: self.climbed.as_ref().is_some_and(nowhere),
            paper_asked: false,
        }
    }
}

/// What a case is about.
pub(super) struct Of<'a> {
    pub(super) trust: TrustId,
    pub(super) patient: PatientId,
    /// The letter; `None` for an appointment's change, whose effects are keyed by the case itself.
    pub(super) subject: Option<Uuid>,
    pub(super) policy: &'a Policy,
    /// Start of the appointment.
    pub(super) known_by: Option<DateTime<Utc>>,
}
