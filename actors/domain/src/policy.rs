//! A trust's policy: how long each step waits. Data, versioned, and pinned to a case when it is published.

use chrono::TimeDelta;

use crate::letter::LetterKind;
use crate::promise::Precision;
use crate::time::{CutOffs, QuietHours, Unit, Wait};

/// One version of a trust's policy. Never changed once used: a new rule is a new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Rises with every change; at least 1.
    pub version: i32,
    /// From publication to the email.
    pub email_after: Wait,
    /// From publication to the text.
    pub text_after: Wait,
    /// From publication to the deadline of a letter about an appointment, or of an appointment's change.
    pub deadline_appointment: Wait,
    /// From publication to the deadline of a clinic letter.
    pub deadline_clinic: Wait,
    /// A deadline is at least this long before the appointment, so that paper arrives in time.
    pub before_appointment: Wait,
    /// A cancellation or move nearer than this is told by every channel at once.
    pub urgent_window: Wait,
    /// From publication, unread, to the phone task, where paper cannot be relied on.
    pub task_after: Wait,
    /// The same when the appointment is on the next working day or sooner.
    pub task_after_next_day: Wait,
    /// Paper that leaves this near to the appointment cannot be relied on: somebody phones.
    pub phone_within: Wait,
    /// An open task that nobody has taken goes to the next person after this.
    pub escalate_after: Wait,
    /// From the print cut-off to the moment at which a missing acknowledgement becomes a task.
    pub ack_within: Wait,
    /// How often a case whose steps are all done is looked at again, so that it never lies forgotten.
    pub recheck: Wait,
    /// When nudges may go; `None`: at any time.
    pub nudge_hours: Option<QuietHours>,
    /// When the print house closes its batches.
    pub cut_offs: CutOffs,
    /// A nudge that certainly failed (bounced, refused) brings the next step forward instead of waiting its time.
    pub undelivered_jump: bool,
    /// Whether promises name the day or, where deadlines are seconds away, the time of day.
    pub precision: Precision,
}

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Versions count from 1.
    #[error("version is {0}; versions count from 1")]
    Version(i32),
    /// A wait that must not be zero is.
    #[error("{field} is 0; give it at least 1")]
    Zero {
        /// The setting.
        field: &'static str,
    },
    /// A wait beyond what is counted.
    #[error("{field} is longer than {max} days; no letter may wait that long", max = Wait::MAX_WORKING_DAYS)]
    TooLong {
        /// The setting.
        field: &'static str,
    },
    /// Two waits in the wrong order.
    #[error("{first} must be shorter than {second}; otherwise it never happens")]
    Order {
        /// The setting that must be the shorter.
        first: &'static str,
        /// The setting that must be the longer.
        second: &'static str,
    },
    /// Nudge hours that never allow a nudge.
    #[error(
        "nudge_hours never allow a nudge: `from` must be before `to`, and at least one day be named"
    )]
    NeverAllowed,
    /// A cut-off every zero seconds.
    #[error("cut_offs come every 0 seconds; give at least 1")]
    NoPeriod,
}

impl Policy {
    /// The default: email after 24 hours, text after 36, both 08–20 Monday to Saturday; paper after 2 working
    /// days (clinic letters 3) and at least 6 working days before the appointment.
    ///
    /// Source: docs/decisions/0007-read-deadline.md
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            version: 1,
            email_after: Wait::hours(24),
            text_after: Wait::hours(36),
            deadline_appointment: Wait::working_days(2),
            deadline_clinic: Wait::working_days(3),
            before_appointment: Wait::working_days(6),
            urgent_window: Wait::working_days(5),
            task_after: Wait::working_hours(2),
            task_after_next_day: Wait::working_hours(1),
            phone_within: Wait::working_days(3),
            escalate_after: Wait::working_hours(4),
            ack_within: Wait::minutes(30),
            recheck: Wait::hours(1),
            nudge_hours: Some(QuietHours::standard()),
            cut_offs: CutOffs::standard(),
            undelivered_jump: true,
            precision: Precision::Day,
        }
    }

    /// For demonstrations: a working day takes 15 seconds, nothing is ever closed, nothing is quiet.
    ///
    /// Only the waits *from* publication are shortened. Distances *to* an appointment stay real days (of 24
    /// hours, on any day of the week), because the appointments shown are real dates: a clinic that is cancelled
    /// for tomorrow is as urgent in a demonstration as it is in a hospital.
    #[must_use]
    pub const fn demo() -> Self {
        Self {
            version: 1,
            email_after: Wait::seconds(15),
            text_after: Wait::seconds(22),
            deadline_appointment: Wait::seconds(30),
            deadline_clinic: Wait::seconds(45),
            before_appointment: Wait::days(6),
            urgent_window: Wait::days(5),
            task_after: Wait::seconds(10),
            task_after_next_day: Wait::seconds(10),
            phone_within: Wait::days(3),
            escalate_after: Wait::minutes(10),
            ack_within: Wait::seconds(30),
            recheck: Wait::seconds(30),
            nudge_hours: None,
            cut_offs: CutOffs::EverySeconds(15),
            undelivered_jump: true,
            precision: Precision::Second,
        }
    }

    /// The wait from publication to the deadline.
    #[must_use]
    pub const fn deadline_wait(&self, kind: LetterKind) -> Wait {
        match kind {
            LetterKind::Appointment => self.deadline_appointment,
            LetterKind::Clinic => self.deadline_clinic,
        }
    }

    /// [`Policy::recheck`] by the clock.
    #[must_use]
    pub fn recheck_every(&self) -> TimeDelta {
        self.recheck.nominal()
    }

    /// Every wait with its name, for settings pages and checks.
    #[must_use]
    pub const fn waits(&self) -> [(&'static str, Wait); 12] {
        [
            ("email_after", self.email_after),
            ("text_after", self.text_after),
            ("deadline_appointment", self.deadline_appointment),
            ("deadline_clinic", self.deadline_clinic),
            ("before_appointment", self.before_appointment),
            ("urgent_window", self.urgent_window),
            ("task_after", self.task_after),
            ("task_after_next_day", self.task_after_next_day),
            ("phone_within", self.phone_within),
            ("escalate_after", self.escalate_after),
            ("ack_within", self.ack_within),
            ("recheck", self.recheck),
        ]
    }

    /// Refuses a policy under which something would never happen, or happen in the wrong order.
    ///
    /// Nudges may wait zero (at once). Lengths of different units are compared by the clock.
    ///
    /// # Errors
    /// The first thing that is wrong, naming the setting.
    pub fn validate(&self) -> Result<(), PolicyError> {
        if self.version < 1 {
            return Err(PolicyError::Version(self.version));
        }
        for (field, wait) in self.waits() {
            check_length(field, wait)?;
        }
        self.check_order()?;
        if self
            .nudge_hours
            .is_some_and(|hours| hours.from >= hours.to || hours.days.is_empty())
        {
            return Err(PolicyError::NeverAllowed);
        }
        match self.cut_offs {
            CutOffs::EverySeconds(0) => Err(PolicyError::NoPeriod),
            _ => Ok(()),
        }
    }

    fn check_order(&self) -> Result<(), PolicyError> {
        let pairs = [
            (
                ("email_after", self.email_after),
                ("deadline_appointment", self.deadline_appointment),
            ),
            (
                ("text_after", self.text_after),
                ("deadline_appointment", self.deadline_appointment),
            ),
            (
                ("email_after", self.email_after),
                ("deadline_clinic", self.deadline_clinic),
            ),
            (
                ("text_after", self.text_after),
                ("deadline_clinic", self.deadline_clinic),
            ),
            (
                ("phone_within", self.phone_within),
                ("before_appointment", self.before_appointment),
            ),
        ];
        for ((first, shorter), (second, longer)) in pairs {
            if shorter.nominal() >= longer.nominal() {
                return Err(PolicyError::Order { first, second });
            }
        }
        Ok(())
    }
}

fn check_length(field: &'static str, wait: Wait) -> Result<(), PolicyError> {
    let may_be_zero = matches!(field, "email_after" | "text_after");
    if wait.amount == 0 && !may_be_zero {
        return Err(PolicyError::Zero { field });
    }
    // Working time passes at least eight times slower than the clock, so the bound is on the clock's side.
    let days = match wait.unit {
        Unit::WorkingHours => wait.nominal().num_hours() / 8,
        _ => wait.nominal().num_days(),
    };
    if days > i64::from(Wait::MAX_WORKING_DAYS) {
        return Err(PolicyError::TooLong { field });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WeekDays;

    #[test]
    fn both_shipped_policies_are_valid() {
        assert_eq!(Policy::standard().validate(), Ok(()));
        assert_eq!(Policy::demo().validate(), Ok(()));
    }

    #[test]
    fn a_policy_under_which_something_never_happens_is_refused() {
        let refused = |change: fn(&mut Policy)| {
            let mut policy = Policy::standard();
            change(&mut policy);
            policy
                .validate()
                .expect_err("it must be refused")
                .to_string()
        };
        for (change, says) in [
            (
                (|p| p.version = 0) as fn(&mut Policy),
                "versions count from 1",
            ),
            (|p| p.deadline_clinic = Wait::NONE, "deadline_clinic is 0"),
            (|p| p.task_after = Wait::working_hours(0), "task_after is 0"),
            (
                |p| p.before_appointment = Wait::working_days(400),
                "before_appointment is longer",
            ),
            (
                |p| p.text_after = Wait::hours(48),
                "text_after must be shorter than deadline_appointment",
            ),
            (
                |p| p.phone_within = Wait::working_days(6),
                "phone_within must be shorter than before_appointment",
            ),
            (|p| p.cut_offs = CutOffs::EverySeconds(0), "every 0 seconds"),
            (
                |p| {
                    p.nudge_hours = Some(QuietHours {
                        days: WeekDays::of(&[]),
                        ..QuietHours::standard()
                    })
                },
                "never allow",
            ),
        ] {
            let said = refused(change);
            assert!(said.contains(says), "{said} should say {says}");
        }
    }
}
