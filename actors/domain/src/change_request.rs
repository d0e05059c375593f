//! A patient asks for an appointment to be cancelled or moved. Asking changes nothing: the appointment stands until
//! the hospital confirms, and the hospital alone changes it.

use chrono::{DateTime, Utc};

use crate::time::{Calendars, Wait};

/// Nearer than this, asking in writing is too slow: the page gives the phone number instead.
pub const PHONE_WITHIN: Wait = Wait::working_days(2);

/// So long a request may wait before it becomes a person's task.
pub const ANSWER_WITHIN: Wait = Wait::working_days(1);

/// What the patient asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Not to come.
    Cancel,
    /// To come at another time.
    Rebook,
}

impl Wish {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cancel, Self::Rebook];

    /// The name in forms, the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Rebook => "rebook",
        }
    }

    /// The wish that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wish| wish.name() == name)
    }

    /// How an appointment is marked while the hospital has not answered.
    #[must_use]
    pub const fn pending(self) -> &'static str {
        match self {
            Self::Cancel => "Pending cancellation",
            Self::Rebook => "Pending reschedule",
        }
    }
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// The hospital has not answered.
    Pending,
    /// The hospital agrees, and will change the appointment.
    Accepted,
    /// The hospital does not.
    Declined,
    /// The patient has taken it back.
    TakenBack,
    /// The hospital has changed the appointment meanwhile.
    Overtaken,
}

impl RequestState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Accepted,
        Self::Declined,
        Self::TakenBack,
        Self::Overtaken,
    ];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::TakenBack => "taken_back",
            Self::Overtaken => "overtaken",
        }
    }

    /// The state that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a request in this state may move to `next`: only a pending one moves, once.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == Self::Pending && next != Self::Pending
    }
}

/// How the patient can ask now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// On the page.
    Online,
    /// By telephone: it is too near.
    Phone,
    /// Not any more: it has begun.
    Over,
}

/// How the patient can ask for a change of an appointment that starts at `starts_at`.
#[must_use]
pub fn way(starts_at: DateTime<Utc>, now: DateTime<Utc>, calendars: &Calendars) -> Way {
    if starts_at <= now {
        Way::Over
    } else if starts_at < PHONE_WITHIN.after(now, calendars) {
        Way::Phone
    } else {
        Way::Online
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::tests::utc;

    #[test]
    fn r22_1_inside_two_working_days_the_page_gives_the_phone_number() {
        // Friday 20 November 2026, 10:00: two working days later is Tuesday the 24th at the same hour.
        let now = utc("2026-11-20T10:00:00Z");
        for (starts_at, expected) in [
            ("2026-11-20T10:00:00Z", Way::Over),
            ("2026-11-20T15:00:00Z", Way::Phone),
            ("2026-11-23T09:00:00Z", Way::Phone),
            ("2026-11-24T09:59:59Z", Way::Phone),
            ("2026-11-24T10:00:00Z", Way::Online),
            ("2027-02-01T10:00:00Z", Way::Online),
        ] {
            assert_eq!(
                way(utc(starts_at), now, &Calendars::built_in()),
                expected,
                "{starts_at}"
            );
        }
    }

    #[test]
    fn r5_1_a_request_is_answered_once() {
        for from in RequestState::ALL {
            assert_eq!(RequestState::from_name(from.name()), Some(from));
            for to in RequestState::ALL {
                assert_eq!(
                    from.may_become(to),
                    from == RequestState::Pending && to != from
                );
            }
        }
        for wish in Wish::ALL {
            assert_eq!(Wish::from_name(wish.name()), Some(wish));
        }
        assert_eq!(Wish::Cancel.pending(), "Pending cancellation");
    }
}
