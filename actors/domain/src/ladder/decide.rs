//! Deciding: what is to be done about one case now.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Plan, Rung, Skip, SkipReason, Step};
use crate::case::{CaseEnd, CaseState};
use crate::time::QuietHours;

/// How the letter, or the appointment's change, stands that the case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Still to be opened.
    Unread,
    /// Opened by the patient, or by a carer who may read for them.
    Opened,
    /// Withdrawn, replaced, or overtaken by a later change.
    Withdrawn,
}

/// Through which of the patient's contacts something can be sent, at the moment of deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contacts {
    /// A verified email address that is not known to be bad.
    pub email: bool,
    /// A verified mobile that is not known to be bad.
    pub text: bool,
    /// A complete address to which it is lawful to write.
    pub address: bool,
}

impl Contacts {
    /// Everything can be used.
    pub const ALL: Self = Self {
        email: true,
        text: true,
        address: true,
    };

    /// Whether the rung can be taken with these contacts; those without a contact always can.
    #[must_use]
    pub const fn reach(&self, rung: Rung) -> bool {
        match rung {
            Rung::Email => self.email,
            Rung::Text => self.text,
            Rung::Deadline | Rung::PhoneTask | Rung::PrintCheck | Rung::TaskCheck => true,
        }
    }
}

/// A case as it stands when it is claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseView {
    /// Whether it has ended.
    pub state: CaseState,
    /// How its letter or appointment stands.
    pub subject: Subject,
    /// Its steps.
    pub plan: Plan,
    /// How many of them are done (taken or skipped).
    pub climbed: usize,
    /// When it is due; decides alone once all steps are done.
    pub due_at: DateTime<Utc>,
    /// What can be used.
    pub contacts: Contacts,
    /// From the case's policy: when nudges may go.
    pub nudge_hours: Option<QuietHours>,
    /// From the case's policy: how often a case is looked at whose steps are all done.
    pub recheck_every: TimeDelta,
}

impl CaseView {
    fn nudges_from(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.nudge_hours
            .map_or(now, |hours| hours.next_allowed(now))
    }
}

/// What to do about a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is awaited any more: end the case so, if it has not ended.
    Close {
        /// How.
        end: CaseEnd,
    },
    /// Nothing is due before this.
    Wait {
        /// When to look again.
        until: DateTime<Utc>,
    },
    /// Take these steps in one transaction, and record the rest.
    Climb {
        /// The steps to take, in order; may be empty when all that was due is skipped. [`Rung::Deadline`] means
        /// notice and print item together. [`Rung::PhoneTask`] stands in for it where there is no address.
        rungs: Vec<Rung>,
        /// The steps that were due and are not taken, with the reason.
        skipped: Vec<Skip>,
        /// How many steps are done now; never fewer than before.
        climbed: usize,
        /// When the case is due next: an open case is never without.
        next_due: DateTime<Utc>,
        /// Not before this may the nudges among `rungs` leave (their hours may have passed in an outage).
        nudge_at: DateTime<Utc>,
    },
}

/// Decides about one case at `now`, the instant at which it was claimed.
///
/// Never early: nothing is taken before its step's instant, nor before the case is due. Several steps can be
/// overdue at once, after an outage. Then the deadline is taken if it is due and nudges are left out (the item is
/// on its way; they would only confuse); of several overdue nudges the last that can be sent is. An urgent case
/// takes them all: there it matters only that the patient hears.
#[must_use]
pub fn decide(case: &CaseView, now: DateTime<Utc>) -> Decision {
    if let CaseState::Ended(end) = case.state {
        return Decision::Close { end };
    }
    match case.subject {
        Subject::Opened => {
            return Decision::Close {
                end: CaseEnd::Opened,
            };
        }
        Subject::Withdrawn => {
            return Decision::Close {
                end: CaseEnd::Withdrawn,
            };
        }
        Subject::Unread => {}
    }
    if now < case.due_at {
        return Decision::Wait { until: case.due_at };
    }
    let steps = case.plan.steps.get(case.climbed..).unwrap_or_default();
    match steps.first() {
        None => keep_watch(case, now),
        Some(next) if now < next.at => Decision::Wait { until: next.at },
        Some(_) => climb(case, steps, now),
    }
}

/// All steps are done and the case is still open: look whether what it waits for is on its way.
fn keep_watch(case: &CaseView, now: DateTime<Utc>) -> Decision {
    let rung = if case.plan.post_at.is_some() {
        checked(case, Rung::PrintCheck)
    } else {
        Rung::TaskCheck
    };
    Decision::Climb {
        rungs: vec![rung],
        skipped: Vec::new(),
        climbed: case.climbed,
        next_due: now + case.recheck_every,
        nudge_at: case.nudges_from(now),
    }
}

fn climb(case: &CaseView, steps: &[Step], now: DateTime<Utc>) -> Decision {
    let count = steps.iter().take_while(|step| step.at <= now).count();
    let nudge_at = case
        .nudge_hours
        .map_or(now, |hours| hours.next_allowed(now));
    let due = Due {
        case,
        steps: &steps[..count],
        nudge_at,
    };
    let (mut rungs, mut skipped) = (Vec::new(), Vec::new());
    for (index, step) in due.steps.iter().enumerate() {
        match due.why_not(index) {
            Some(why) => skipped.push(Skip {
                rung: step.rung,
                why,
            }),
            None => rungs.push(step.rung),
        }
    }
    if skipped.iter().any(|skip| skip.why == SkipReason::NoAddress)
        && !rungs.contains(&Rung::PhoneTask)
    {
        rungs.push(Rung::PhoneTask);
    }
    Decision::Climb {
        rungs: rungs.into_iter().map(|rung| checked(case, rung)).collect(),
        skipped,
        climbed: case.climbed + count,
        next_due: steps
            .get(count)
            .map_or(now + case.recheck_every, |next| next.at),
        nudge_at,
    }
}

/// Without an address nothing was printed: what is to be checked is the task that stands in for it.
const fn checked(case: &CaseView, rung: Rung) -> Rung {
    match rung {
        Rung::PrintCheck if !case.contacts.address => Rung::TaskCheck,
        _ => rung,
    }
}

/// The steps that are due together.
struct Due<'a> {
    case: &'a CaseView,
    steps: &'a [Step],
    nudge_at: DateTime<Utc>,
}

impl Due<'_> {
    /// Why this step is not taken; `None` if it is.
    fn why_not(&self, index: usize) -> Option<SkipReason> {
        let rung = self.steps[index].rung;
        if !self.case.contacts.reach(rung) {
            return Some(SkipReason::NoContact);
        }
        if rung == Rung::Deadline {
            return (!self.case.contacts.address).then_some(SkipReason::NoAddress);
        }
        if rung.is_nudge() && !self.case.plan.urgent {
            return self.why_not_nudge(index);
        }
        None
    }

    fn why_not_nudge(&self, index: usize) -> Option<SkipReason> {
        let later = &self.steps[index + 1..];
        let overtaken = later.iter().any(|step| {
            step.rung == Rung::Deadline
                || (step.rung.is_nudge() && self.case.contacts.reach(step.rung))
        });
        if overtaken {
            return Some(SkipReason::Overtaken);
        }
        (self.nudge_at >= self.case.plan.deadline).then_some(SkipReason::AfterDeadline)
    }
}
