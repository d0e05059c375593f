//! Reminders of appointments: when one is due, when it is too late for one to make sense, and its words as a text.
//!
//! Knows nothing of who wants one. The words name a day and nothing else: a locked telephone may lie on a table.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use crate::message::{Text, WordingError};
use crate::promise::{Precision, when};
use crate::time::{instant, local_date, plus_days, start_of};

/// The time of day at which a reminder is due, Europe/London: nobody is woken, and the same day is left for a call.
const AT: NaiveTime = NaiveTime::from_hms_opt(10, 0, 0).expect("a time of day");

/// How long before the appointment's day a reminder is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// Seven days.
    Week,
    /// Two days.
    TwoDays,
}

impl Notice {
    /// The earlier one first.
    pub const ALL: [Self; 2] = [Self::Week, Self::TwoDays];

    /// Calendar days in Europe/London between the reminder and the appointment.
    #[must_use]
    pub const fn days(self) -> i32 {
        match self {
            Self::Week => 7,
            Self::TwoDays => 2,
        }
    }

    /// When the reminder of an appointment that starts then is due.
    #[must_use]
    pub fn due_at(self, starts_at: DateTime<Utc>) -> DateTime<Utc> {
        let day = plus_days(local_date(starts_at), -i64::from(self.days()));
        instant(day.and_time(AT))
    }

    /// The starts of those appointments whose reminder is due at `now` and still makes sense: not once the next one is
    /// due, and not once the appointment has begun.
    #[must_use]
    pub fn window(self, now: DateTime<Utc>) -> Range<DateTime<Utc>> {
        let from = match self {
            Self::Week => Self::TwoDays.due_before(now),
            Self::TwoDays => now,
        };
        from..self.due_before(now)
    }

    /// Whether somebody who knows of the appointment, or wants reminders, only since then still gets this one: what
    /// they have just read or asked for needs no reminder.
    #[must_use]
    pub fn is_for(self, starts_at: DateTime<Utc>, known_since: DateTime<Utc>) -> bool {
        known_since < self.due_at(starts_at)
    }

    /// Every appointment that starts earlier has its reminder due at `now`.
    fn due_before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = local_date(now);
        let last = i64::from(self.days()) - i64::from(now < instant(today.and_time(AT)));
        start_of(plus_days(today, last + 1))
    }
}

/// `on Tue 25 Nov`; the year where it is another one.
#[must_use]
pub fn day(starts_at: DateTime<Utc>, today: NaiveDate) -> String {
    when(starts_at, Precision::Day, today)
}

impl Text {
    /// The reminder, as a text.
    ///
    /// # Errors
    /// [`WordingError`] when the service's name does not fit; checked when settings are loaded.
    pub fn reminder(
        service: &str,
        starts_at: DateTime<Utc>,
        today: NaiveDate,
    ) -> Result<Self, WordingError> {
        Self::of(
            service,
            &format!(
                "a reminder of something in your calendar {}. Sign in the way you usually do to see what and when.",
                day(starts_at, today)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::segments;
    use crate::time::tests::{any_instant, wall};
    use chrono::TimeDelta;
    use proptest::prelude::*;

    #[test]
    fn r29_3_a_reminder_is_due_at_ten_by_the_clock_on_the_wall_across_both_clock_changes() {
        for (starts, notice, due) in [
            // The clocks go forward on 29 March 2026 and back on 25 October 2026.
            ("2026-04-01 09:30", Notice::Week, "2026-03-25 10:00"),
            ("2026-03-30 00:10", Notice::TwoDays, "2026-03-28 10:00"),
            ("2026-03-31 23:50", Notice::TwoDays, "2026-03-29 10:00"),
            ("2026-10-26 00:10", Notice::TwoDays, "2026-10-24 10:00"),
            ("2026-10-29 14:00", Notice::Week, "2026-10-22 10:00"),
            ("2026-11-01 23:59", Notice::Week, "2026-10-25 10:00"),
            ("2027-01-01 08:00", Notice::TwoDays, "2026-12-30 10:00"),
        ] {
            assert_eq!(notice.due_at(wall(starts)), wall(due), "{starts}");
        }
        let spring = wall("2026-03-30 00:10") - Notice::TwoDays.due_at(wall("2026-03-30 00:10"));
        assert_eq!(
            spring,
            TimeDelta::minutes(37 * 60 + 10),
            "an hour is missing"
        );
    }

    #[test]
    fn a_window_opens_at_ten_and_closes_when_the_next_one_opens() {
        let (week, two) = (Notice::Week, Notice::TwoDays);
        let before = wall("2026-03-25 09:59");
        let after = wall("2026-03-25 10:00");
        let starts = wall("2026-04-01 09:30");
        assert!(!week.window(before).contains(&starts));
        assert!(week.window(after).contains(&starts));
        assert!(week.window(wall("2026-03-30 09:59")).contains(&starts));
        assert!(!week.window(wall("2026-03-30 10:00")).contains(&starts));
        assert!(two.window(wall("2026-03-30 10:00")).contains(&starts));
        assert!(!two.window(starts + TimeDelta::seconds(1)).contains(&starts));
    }

    #[test]
    fn what_came_late_gets_only_what_still_makes_sense() {
        let starts = wall("2026-06-10 09:30");
        let gets = |known: &str| Notice::ALL.map(|notice| notice.is_for(starts, wall(known)));
        assert_eq!(gets("2026-05-01 12:00"), [true, true]);
        assert_eq!(
            gets("2026-06-03 10:00"),
            [false, true],
            "published 7 days before"
        );
        assert_eq!(
            gets("2026-06-08 11:00"),
            [false, false],
            "published 2 days before"
        );
    }

    #[test]
    fn the_text_names_a_day_and_nothing_else() {
        let text = Text::reminder(
            "My Health and Wellbeing",
            wall("2025-11-25 10:30"),
            local_date(wall("2025-11-23 10:00")),
        )
        .expect("it fits");
        assert_eq!(
            text.body(),
            "My Health and Wellbeing: a reminder of something in your calendar on Tue 25 Nov. \
             Sign in the way you usually do to see what and when."
        );
    }

    proptest! {
        #[test]
        fn at_no_instant_are_both_reminders_of_one_appointment_due(starts in any_instant(), hours in -400i64..400) {
            let now = starts + TimeDelta::hours(hours);
            let due: Vec<_> = Notice::ALL.into_iter().filter(|notice| notice.window(now).contains(&starts)).collect();
            prop_assert!(due.len() <= 1, "{due:?}");
            for notice in due {
                prop_assert!(notice.due_at(starts) <= now && now <= starts, "{notice:?}");
            }
            let late = Notice::TwoDays.due_at(starts) <= now && now < starts;
            prop_assert_eq!(late, Notice::TwoDays.window(now).contains(&starts) && now < starts);
        }

        #[test]
        fn every_reminder_fits_one_segment_and_says_nothing_clinical(
            service in "[A-Za-z][A-Za-z &'-]{0,22}[A-Za-z]", at in any_instant(), now in any_instant(),
        ) {
            let text = Text::reminder(&service, at, local_date(now)).expect("it fits");
            prop_assert_eq!(segments(text.body()), 1);
            let said = text.body().replace(&service, "").to_lowercase();
            for word in ["clinic", "appointment", "hospital", "result", "letter", "doctor", "nhs", "http", "www", "reply stop"] {
                prop_assert!(!said.contains(word), "{word} in {said}");
            }
        }
    }
}
