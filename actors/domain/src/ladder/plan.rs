//! A plan: every step of a case as an instant, and what was left out.

use chrono::{DateTime, Utc};

use super::Rung;

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
    /// The same without a promise of paper where there is nowhere to send any: a person takes over at the deadline.
    #[must_use]
    pub fn promising_paper_to(mut self, has_address: bool) -> Self {
        self.post_at = self.post_at.filter(|_| has_address);
        self
    }

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
