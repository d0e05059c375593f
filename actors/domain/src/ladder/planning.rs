//! Planning: from a policy and a publication to a plan. Happens once, in the transaction that publishes.

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::{Deadline, Plan, Rung, Skip, SkipReason, Step, deadline};
use crate::appointment::{AppointmentChange, is_time_critical};
use crate::letter::LetterKind;
use crate::policy::Policy;
use crate::time::{Calendars, local_date};

/// Plans a letter that goes to the portal. `published_at` is its release, for a letter that was held.
#[must_use]
pub fn plan_letter(
    policy: &Policy,
    calendars: &Calendars,
    kind: LetterKind,
    published_at: DateTime<Utc>,
    appointment_at: Option<DateTime<Utc>>,
) -> Plan {
    let ahead = appointment_at.filter(|start| *start > published_at);
    let due = deadline(policy, calendars, kind, published_at, ahead);
    let mut draft = Draft::new(policy, calendars, published_at, ahead);
    draft.nudges(&due, due.is_past);
    draft.paper(&due);
    if due.paper_too_late {
        draft.phone();
    }
    draft.finish(due.at, Some(due.post_at), due.is_past)
}

/// Plans what an appointment's change needs when no letter carries it.
///
/// A time-critical change (see [`is_time_critical`]) is told by every channel at once, and somebody phones when
/// it is still unread after the policy's wait. Its paper, a plain notice, goes at once as well, unless it would
/// come too late: then the phone call *is* the deadline, and paper is posted only if the patient wants it.
#[must_use]
pub fn plan_appointment(
    policy: &Policy,
    calendars: &Calendars,
    change: AppointmentChange,
    changed_at: DateTime<Utc>,
    starts_at: DateTime<Utc>,
) -> Plan {
    let known_by = change.must_be_known_by(starts_at, changed_at);
    if !is_time_critical(
        change,
        changed_at,
        starts_at,
        &policy.urgent_window,
        calendars,
    ) {
        return plan_letter(
            policy,
            calendars,
            LetterKind::Appointment,
            changed_at,
            known_by,
        );
    }
    let due = deadline(
        policy,
        calendars,
        LetterKind::Appointment,
        changed_at,
        known_by,
    );
    let mut draft = Draft::new(policy, calendars, changed_at, known_by);
    draft.nudges(&due, true);
    let phone = draft.phone();
    if due.paper_too_late {
        draft.skip(Rung::Deadline, SkipReason::PaperTooLate);
        return draft.finish(phone, None, true);
    }
    draft.paper(&due);
    draft.finish(due.at, Some(due.post_at), true)
}

/// Plans a letter that goes to our post in any case: no nudges, paper at the next cut-off, and a phone call
/// where paper comes too late.
#[must_use]
pub fn plan_post(
    policy: &Policy,
    calendars: &Calendars,
    published_at: DateTime<Utc>,
    appointment_at: Option<DateTime<Utc>>,
) -> Plan {
    let ahead = appointment_at.filter(|start| *start > published_at);
    let post_at = policy.cut_offs.next_after(published_at, calendars);
    let paper_too_late =
        ahead.is_some_and(|start| start < policy.phone_within.reach(post_at, calendars));
    let due = Deadline {
        at: published_at,
        is_past: true,
        post_at,
        paper_too_late,
    };
    let mut draft = Draft::new(policy, calendars, published_at, ahead);
    draft.paper(&due);
    if due.paper_too_late {
        draft.phone();
    }
    draft.finish(due.at, Some(post_at), true)
}

/// The last moment at which a phone call is of use: when the booking office closes on the last working day before
/// the day of the appointment; if that has passed, an hour before it starts; and never before `now`.
#[must_use]
pub fn phone_useful_until(
    policy: &Policy,
    calendars: &Calendars,
    known_by: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let calendar = calendars.get(policy.phone_within.calendar);
    let day_before = calendar.working_day_until(local_date(known_by) - Days::new(1));
    let closes = calendar.office_closes(day_before);
    if closes > now {
        closes
    } else {
        (known_by - TimeDelta::hours(1)).max(now)
    }
}

/// A plan in the making.
struct Draft<'a> {
    policy: &'a Policy,
    calendars: &'a Calendars,
    published_at: DateTime<Utc>,
    known_by: Option<DateTime<Utc>>,
    steps: Vec<Step>,
    phone_task_due: Option<DateTime<Utc>>,
    skipped: Vec<Skip>,
}

impl<'a> Draft<'a> {
    fn new(
        policy: &'a Policy,
        calendars: &'a Calendars,
        published_at: DateTime<Utc>,
        known_by: Option<DateTime<Utc>>,
    ) -> Self {
        let (steps, skipped) = (Vec::with_capacity(6), Vec::new());
        Self {
            policy,
            calendars,
            published_at,
            known_by,
            steps,
            phone_task_due: None,
            skipped,
        }
    }

    fn step(&mut self, rung: Rung, at: DateTime<Utc>) {
        self.steps.push(Step { at, rung });
    }

    fn skip(&mut self, rung: Rung, why: SkipReason) {
        self.skipped.push(Skip { rung, why });
    }

    /// Email and text: after their waits, or at once; inside their hours; before what makes them pointless.
    fn nudges(&mut self, due: &Deadline, at_once: bool) {
        for (rung, wait) in [
            (Rung::Email, self.policy.email_after),
            (Rung::Text, self.policy.text_after),
        ] {
            let meant = if at_once {
                self.published_at
            } else {
                wait.after(self.published_at, self.calendars)
            };
            let at = self
                .policy
                .nudge_hours
                .map_or(meant, |hours| hours.next_allowed(meant));
            if !at_once && at >= due.at {
                self.skip(rung, SkipReason::AfterDeadline);
            } else if self.known_by.is_some_and(|start| at >= start) {
                self.skip(rung, SkipReason::AfterAppointment);
            } else {
                self.step(rung, at);
            }
        }
    }

    fn paper(&mut self, due: &Deadline) {
        self.step(Rung::Deadline, due.at);
        self.step(
            Rung::PrintCheck,
            self.policy.ack_within.after(due.post_at, self.calendars),
        );
    }

    /// The phone task, and the look whether somebody has taken it.
    fn phone(&mut self) -> DateTime<Utc> {
        let wait = if self.is_next_day() {
            self.policy.task_after_next_day
        } else {
            self.policy.task_after
        };
        let meant = wait.after(self.published_at, self.calendars);
        let useful = self
            .known_by
            .map(|start| phone_useful_until(self.policy, self.calendars, start, self.published_at));
        let at = useful
            .map_or(meant, |until| meant.min(until))
            .max(self.published_at);
        self.step(Rung::PhoneTask, at);
        self.step(
            Rung::TaskCheck,
            self.policy.escalate_after.after(at, self.calendars),
        );
        self.phone_task_due = Some(at);
        at
    }

    /// Whether the appointment is on the next working day or sooner.
    fn is_next_day(&self) -> bool {
        let calendar = self.calendars.get(self.policy.phone_within.calendar);
        let tomorrow = local_date(self.published_at) + Days::new(1);
        self.known_by
            .is_some_and(|start| local_date(start) <= calendar.working_day_from(tomorrow))
    }

    fn finish(
        mut self,
        deadline: DateTime<Utc>,
        post_at: Option<DateTime<Utc>>,
        urgent: bool,
    ) -> Plan {
        self.steps.sort_unstable();
        Plan {
            steps: self.steps,
            deadline,
            post_at,
            urgent,
            phone_task_due: self.phone_task_due,
            skipped: self.skipped,
        }
    }
}
