//! Jumping ahead: what a nudge that certainly failed does to the plan.

use chrono::{DateTime, Utc};

use super::{Contacts, Plan, Rung};
use crate::policy::Policy;
use crate::time::Calendars;

/// Brings the next step forward to `now`, because the nudge before it certainly failed.
///
/// `climbed` is how many steps are done. Nudges without a contact are passed over; a nudge still keeps its hours;
/// a deadline that comes forward takes the next cut-off, so its promise changes. What is already due, or is
/// neither a nudge nor the deadline, stays; so does everything under a policy without `undelivered_jump`.
#[must_use]
pub fn jump(
    policy: &Policy,
    calendars: &Calendars,
    plan: &Plan,
    climbed: usize,
    contacts: Contacts,
    now: DateTime<Utc>,
) -> Plan {
    let mut jumped = plan.clone();
    let next = plan
        .steps
        .iter()
        .skip(climbed)
        .position(|step| contacts.reach(step.rung))
        .map(|n| n + climbed);
    let Some(next) = next.filter(|_| policy.undelivered_jump) else {
        return jumped;
    };
    let rung = plan.steps[next].rung;
    let at = if rung.is_nudge() {
        policy
            .nudge_hours
            .map_or(now, |hours| hours.next_allowed(now))
    } else {
        now
    };
    if at >= plan.steps[next].at || !(rung.is_nudge() || rung == Rung::Deadline) {
        return jumped;
    }
    // Passed-over steps move too, so that the order of times stays the order of steps.
    for step in &mut jumped.steps[climbed..=next] {
        step.at = step.at.min(at);
    }
    if rung == Rung::Deadline {
        bring_paper_forward(policy, calendars, &mut jumped, at);
    }
    jumped.steps[climbed..].sort_unstable();
    jumped
}

fn bring_paper_forward(policy: &Policy, calendars: &Calendars, plan: &mut Plan, at: DateTime<Utc>) {
    let post_at = policy.cut_offs.next_after(at, calendars);
    plan.deadline = at;
    plan.post_at = Some(post_at);
    for step in plan
        .steps
        .iter_mut()
        .filter(|step| step.rung == Rung::PrintCheck)
    {
        step.at = policy.ack_within.after(post_at, calendars);
    }
}
