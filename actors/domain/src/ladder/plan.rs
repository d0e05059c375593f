//! Plans: every step of a case as an instant, fixed when the item is published.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Contacts, Deadline, Rung, deadline};
use crate::appointment::{AppointmentChange, is_time_critical};
use crate::letter::LetterKind;
use crate::policy::Policy;
use crate::time::{Calendars, local_date};

/// One step and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Not before.
    pub at: DateTime<Utc>,
    /// What.
    pub rung: Rung,
}

/// Why a step was not taken. Kept in the history, so that staff can see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// Moved by quiet hours, a nudge would have come at or after the deadline.
    AfterDeadline,
    /// A nudge would have come when the appointment had begun.
    AfterAppointment,
    /// The patient has verified no contact for it, or the one there is does not work.
    NoContact,
    /// Several steps were overdue at once, after an outage, and a later one was taken instead.
    Overtaken,
    /// There is no lawful address: a person phones instead.
    NoAddress,
    /// Paper could not arrive in time: a person phones instead.
    PaperTooLate,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::AfterDeadline,
        Self::AfterAppointment,
        Self::NoContact,
        Self::Overtaken,
        Self::NoAddress,
        Self::PaperTooLate,
    ];

    /// The name in history.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AfterDeadline => "after_deadline",
            Self::AfterAppointment => "after_appointment",
            Self::NoContact => "no_contact",
            Self::Overtaken => "overtaken",
            Self::NoAddress => "no_address",
            Self::PaperTooLate => "paper_too_late",
        }
    }

    /// The reason that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// A step that was not taken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Skip {
    /// The step.
    pub rung: Rung,
    /// Why not.
    pub why: SkipReason,
}

/// The steps of one case, in order of time. Stored with the case; later versions of the policy do not touch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Never empty; rising by time.
    pub steps: Vec<Step>,
    /// When paper, or a person, takes over.
    pub deadline: DateTime<Utc>,
    /// The print cut-off that takes the item (named in the promise); `None` where nothing is posted.
    pub post_at: Option<DateTime<Utc>>,
    /// Nudges go at once and are sent even when paper goes at the same moment.
    pub urgent: bool,
    /// When the phone task falls due, where there is one from the start.
    pub phone_task_due: Option<DateTime<Utc>>,
    /// What the plan already leaves out. Not stored with the case but in its history.
    pub skipped: Vec<Skip>,
}

impl Plan {
    /// From its stored form: the steps, the deadline, the promised cut-off and the urgency.
    #[must_use]
    pub fn stored(
        steps: Vec<Step>,
        deadline: DateTime<Utc>,
        post_at: Option<DateTime<Utc>>,
        urgent: bool,
    ) -> Self {
        let phone_task_due = steps
            .iter()
            .find(|step| step.rung == Rung::PhoneTask)
            .map(|step| step.at);
        Self {
            steps,
            deadline,
            post_at,
            urgent,
            phone_task_due,
            skipped: Vec::new(),
        }
    }

    /// When the step of this rung is due, if the plan has one.
    #[must_use]
    pub fn at(&self, rung: Rung) -> Option<DateTime<Utc>> {
        self.steps
            .iter()
            .find(|step| step.rung == rung)
            .map(|step| step.at)
    }

    /// When the first step is due.
    #[must_use]
    pub fn first_due(&self) -> DateTime<Utc> {
        self.steps.first().map_or(self.deadline, |step| step.at)
    }

    /// Whether the printer's acknowledgement ends the case. Not where somebody phones because paper comes too
    /// late: there paper is only a record, and the case ends when the patient has opened it or been spoken to.
    #[must_use]
    pub fn paper_ends_case(&self) -> bool {
        self.phone_task_due.is_none()
    }
}

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
    let day_before = calendar.working_day_until(local_date(known_by) - chrono::Days::new(1));
    let closes = calendar.office_closes(day_before);
    if closes > now {
        closes
    } else {
        (known_by - TimeDelta::hours(1)).max(now)
    }
}

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
        let tomorrow = local_date(self.published_at) + chrono::Days::new(1);
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
