//! An appointment, the changes to it, and which of them cannot wait.

use chrono::{DateTime, Utc};

use crate::time::{Calendars, Wait};

/// Where an appointment stands. Whether it lies in the past is a matter of its time: see [`AppointmentState::list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AppointmentState {
    /// It stands; perhaps moved, but to be kept.
    Booked,
    /// It will not take place. Final: a new date is a new appointment, or a new version that books it again.
    Cancelled,
}

impl AppointmentState {
    /// Both states.
    pub const ALL: [Self; 2] = [Self::Booked, Self::Cancelled];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// In which of the patient's lists the appointment stands at `now`.
    #[must_use]
    pub fn list(self, starts_at: DateTime<Utc>, now: DateTime<Utc>) -> AppointmentList {
        match self {
            Self::Cancelled => AppointmentList::Cancelled,
            Self::Booked if starts_at <= now => AppointmentList::Past,
            Self::Booked => AppointmentList::Upcoming,
        }
    }
}

/// The patient's three lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AppointmentList {
    /// Still to come.
    Upcoming,
    /// Already begun.
    Past,
    /// Will not, or did not, take place.
    Cancelled,
}

/// What a trust has just said about an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AppointmentChange {
    /// It is new.
    Published,
    /// It was to start at `from`; its time or place changed.
    Moved {
        /// When the patient would have come.
        from: DateTime<Utc>,
    },
    /// It will not take place.
    Cancelled,
}

impl AppointmentChange {
    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Moved { .. } => "moved",
            Self::Cancelled => "cancelled",
        }
    }

    /// The instant by which the patient must know, given when the appointment now starts: for a moved one the
    /// earlier of the two times, because not knowing means coming in vain or not coming. Times that have passed
    /// do not count; `None` when nothing is left to come to.
    #[must_use]
    pub fn must_be_known_by(
        self,
        starts_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let from = match self {
            Self::Moved { from } => Some(from),
            Self::Published | Self::Cancelled => None,
        };
        [Some(starts_at), from]
            .into_iter()
            .flatten()
            .filter(|start| *start > now)
            .min()
    }
}

/// Whether a change is so near that every digital channel is used at once and somebody phones.
///
/// Only cancellations and moves are: a *new* appointment within the window is told like a letter whose deadline
/// is past. A change of something that has already begun is not urgent any more.
#[must_use]
pub fn is_time_critical(
    change: AppointmentChange,
    now: DateTime<Utc>,
    starts_at: DateTime<Utc>,
    urgent_window: &Wait,
    calendars: &Calendars,
) -> bool {
    let horizon = urgent_window.after(now, calendars);
    change != AppointmentChange::Published
        && change
            .must_be_known_by(starts_at, now)
            .is_some_and(|start| start < horizon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::tests::utc;

    fn critical(change: AppointmentChange, now: &str, starts_at: &str) -> bool {
        is_time_critical(
            change,
            utc(now),
            utc(starts_at),
            &Wait::working_days(5),
            &Calendars::built_in(),
        )
    }

    #[test]
    fn a_cancellation_inside_five_working_days_is_time_critical() {
        // Monday 9 March 2026; five working days later is Monday the 16th at the same hour.
        for (starts_at, expected) in [
            ("2026-03-10T09:00:00Z", true),
            ("2026-03-16T09:59:59Z", true),
            ("2026-03-16T10:00:00Z", false),
            ("2026-03-20T09:00:00Z", false),
        ] {
            assert_eq!(
                critical(
                    AppointmentChange::Cancelled,
                    "2026-03-09T10:00:00Z",
                    starts_at
                ),
                expected,
                "{starts_at}"
            );
        }
    }

    #[test]
    fn a_move_counts_from_whichever_time_is_nearer() {
        let tomorrow = AppointmentChange::Moved {
            from: utc("2026-03-10T09:00:00Z"),
        };
        assert!(critical(
            tomorrow,
            "2026-03-09T10:00:00Z",
            "2026-06-01T09:00:00Z"
        ));
        let far = AppointmentChange::Moved {
            from: utc("2026-06-01T09:00:00Z"),
        };
        assert!(critical(
            far,
            "2026-03-09T10:00:00Z",
            "2026-03-10T09:00:00Z"
        ));
        assert!(!critical(
            far,
            "2026-03-09T10:00:00Z",
            "2026-06-02T09:00:00Z"
        ));
    }

    #[test]
    fn a_new_appointment_and_one_already_begun_are_not_time_critical() {
        assert!(!critical(
            AppointmentChange::Published,
            "2026-03-09T10:00:00Z",
            "2026-03-10T09:00:00Z"
        ));
        assert!(!critical(
            AppointmentChange::Cancelled,
            "2026-03-09T10:00:00Z",
            "2026-03-09T10:00:00Z"
        ));
    }

    #[test]
    fn lists_follow_the_clock_and_the_state() {
        let (start, before, after) = (
            utc("2026-03-10T09:00:00Z"),
            utc("2026-03-10T08:59:59Z"),
            utc("2026-03-10T09:00:00Z"),
        );
        assert_eq!(
            AppointmentState::Booked.list(start, before),
            AppointmentList::Upcoming
        );
        assert_eq!(
            AppointmentState::Booked.list(start, after),
            AppointmentList::Past
        );
        assert_eq!(
            AppointmentState::Cancelled.list(start, after),
            AppointmentList::Cancelled
        );
        for state in AppointmentState::ALL {
            assert_eq!(AppointmentState::from_name(state.name()), Some(state));
        }
    }

    #[test]
    fn the_patient_must_know_before_the_earlier_of_two_times() {
        let (old, new) = (utc("2026-03-10T09:00:00Z"), utc("2026-03-12T09:00:00Z"));
        let now = utc("2026-03-09T09:00:00Z");
        assert_eq!(
            AppointmentChange::Moved { from: old }.must_be_known_by(new, now),
            Some(old)
        );
        assert_eq!(
            AppointmentChange::Moved { from: new }.must_be_known_by(old, now),
            Some(old)
        );
        assert_eq!(
            AppointmentChange::Moved { from: old }.must_be_known_by(new, old),
            Some(new)
        );
        assert_eq!(
            AppointmentChange::Cancelled.must_be_known_by(new, new),
            None
        );
    }
}
