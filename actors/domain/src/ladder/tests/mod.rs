//! Tables first ([`planning`], [`deciding`]), then what holds for every plan at every moment ([`always`]).

mod always;
mod deciding;
mod planning;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::case::CaseState;
use crate::letter::LetterKind;
use crate::policy::Policy;
use crate::time::tests::wall;
use crate::time::{Calendars, QuietHours};

fn calendars() -> Calendars {
    Calendars::built_in()
}

fn letter(kind: LetterKind, published: &str, appointment: Option<&str>) -> Plan {
    plan_letter(
        &Policy::standard(),
        &calendars(),
        kind,
        wall(published),
        appointment.map(wall),
    )
}

fn steps(plan: &Plan) -> Vec<(Rung, DateTime<Utc>)> {
    plan.steps.iter().map(|step| (step.rung, step.at)).collect()
}

/// A case at its beginning under the standard policy.
fn case(plan: Plan) -> CaseView {
    CaseView {
        state: CaseState::Open,
        subject: Subject::Unread,
        due_at: plan.first_due(),
        plan,
        climbed: 0,
        contacts: Contacts::ALL,
        nudge_hours: Some(QuietHours::standard()),
        recheck_every: TimeDelta::hours(1),
    }
}

fn rungs(decision: &Decision) -> Vec<Rung> {
    match decision {
        Decision::Climb { rungs, .. } => rungs.clone(),
        Decision::Close { .. } | Decision::Wait { .. } => Vec::new(),
    }
}

fn skips(decision: &Decision) -> Vec<(Rung, SkipReason)> {
    match decision {
        Decision::Climb { skipped, .. } => {
            skipped.iter().map(|skip| (skip.rung, skip.why)).collect()
        }
        Decision::Close { .. } | Decision::Wait { .. } => Vec::new(),
    }
}
