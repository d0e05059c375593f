//! The ladder: from the mailbox over email and text to paper or a telephone, in time for the appointment.
//!
//! Two halves, both pure. **Planning** ([`plan_letter`], [`plan_appointment`], [`plan_post`]) happens once, in
//! the transaction that publishes, and fixes every step as an instant. **Deciding** ([`decide`]) looks at a case
//! when a step is due and says what to do now. Neither sends anything, and neither looks at a clock.
//!
//! Three rules hold throughout: nothing happens before its instant; an opened or withdrawn item is left in
//! peace; and quiet hours move nudges, never the deadline.

mod deadline;
mod decide;
mod jump;
mod plan;
mod planning;

pub use deadline::{Deadline, deadline};
pub use decide::{CaseView, Contacts, Decision, Subject, decide};
pub use jump::jump;
pub use plan::{Plan, Skip, SkipReason, Step};
pub use planning::{phone_useful_until, plan_appointment, plan_letter, plan_post};

/// One step of the ladder. The number is stored and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rung {
    /// Send an email: a nudge.
    Email = 1,
    /// Send a text: a nudge.
    Text = 2,
    /// The read deadline: a notice to the trust and the item into the print queue, in one transaction.
    Deadline = 3,
    /// A person must phone.
    PhoneTask = 4,
    /// The print house should have acknowledged by now: if it has not, a person must see to it.
    PrintCheck = 5,
    /// A task should have been taken by now: if it has not, it goes to the next person.
    TaskCheck = 6,
}

impl Rung {
    /// All rungs.
    pub const ALL: [Self; 6] = [
        Self::Email,
        Self::Text,
        Self::Deadline,
        Self::PhoneTask,
        Self::PrintCheck,
        Self::TaskCheck,
    ];

    /// The name in history, metrics and effect keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Text => "text",
            Self::Deadline => "deadline",
            Self::PhoneTask => "phone_task",
            Self::PrintCheck => "print_check",
            Self::TaskCheck => "task_check",
        }
    }

    /// The rung that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.name() == name)
    }

    /// The stored number.
    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The rung with this number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.number() == number)
    }

    /// Whether it only reminds: may be moved by quiet hours and skipped where there is no contact.
    #[must_use]
    pub const fn is_nudge(self) -> bool {
        matches!(self, Self::Email | Self::Text)
    }
}

#[cfg(test)]
mod tests;
