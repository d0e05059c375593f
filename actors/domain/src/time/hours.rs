//! Hours in which people may be disturbed, and the moments at which the print house closes a batch.

use chrono::{DateTime, Datelike, NaiveTime, TimeDelta, Utc, Weekday};

use super::{CalendarName, Calendars, instant, local, plus_days};

/// A set of days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeekDays(u8);

impl WeekDays {
    /// Monday to Saturday.
    pub const MONDAY_TO_SATURDAY: Self = Self(0b011_1111);
    /// Monday to Friday.
    pub const MONDAY_TO_FRIDAY: Self = Self(0b001_1111);
    /// Every day.
    pub const EVERY_DAY: Self = Self(0b111_1111);

    /// Exactly these days.
    #[must_use]
    pub fn of(days: &[Weekday]) -> Self {
        Self(
            days.iter()
                .fold(0, |bits, day| bits | 1 << day.num_days_from_monday()),
        )
    }

    /// From stored bits, Monday the lowest.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::EVERY_DAY.0)
    }

    /// The bits, Monday the lowest.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether that day is in the set.
    #[must_use]
    pub fn has(self, day: Weekday) -> bool {
        self.0 & 1 << day.num_days_from_monday() != 0
    }

    /// Whether no day is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// When a nudge may be sent: from `from` (inclusive) to `to` (exclusive) on `days`; all else is quiet.
///
/// Wall-clock times in Europe/London. A nudge that falls into the quiet is moved, never lost; the print
/// deadline does not move with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuietHours {
    /// The quiet ends.
    pub from: NaiveTime,
    /// The quiet begins; later than `from`.
    pub to: NaiveTime,
    /// The days on which it ends at all; at least one.
    pub days: WeekDays,
}

impl QuietHours {
    /// 08–20, Monday to Saturday.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            from: NaiveTime::from_hms_opt(8, 0, 0).expect("a time of day"),
            to: NaiveTime::from_hms_opt(20, 0, 0).expect("a time of day"),
            days: WeekDays::MONDAY_TO_SATURDAY,
        }
    }

    /// Whether a nudge may go at that instant.
    #[must_use]
    pub fn allows(&self, at: DateTime<Utc>) -> bool {
        let wall = local(at);
        self.days.has(wall.weekday()) && (self.from..self.to).contains(&wall.time())
    }

    /// The first instant at or after `at` at which a nudge may go.
    ///
    /// With settings that never allow one (refused by [`crate::policy::Policy::validate`]) it is `at`.
    #[must_use]
    pub fn next_allowed(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.allows(at) {
            return at;
        }
        let today = local(at).date_naive();
        // Eight days: the same weekday of next week is the last that can be the answer.
        (0..=7)
            .map(|n| plus_days(today, n))
            .filter(|day| self.days.has(day.weekday()))
            .map(|day| instant(day.and_time(self.from)))
            .find(|opening| *opening >= at && self.allows(*opening))
            .unwrap_or(at)
    }
}

/// When the print house closes a batch. What is queued before goes with it; until then it can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CutOffs {
    /// Once on every working day of the calendar, at this wall-clock time.
    Daily {
        /// Europe/London.
        at: NaiveTime,
        /// Whose working days.
        calendar: CalendarName,
    },
    /// Every so many seconds, counted from the epoch; at least 1. For demonstrations and tests.
    EverySeconds(u32),
}

impl CutOffs {
    /// 17:30 on working days in England and Wales.
    #[must_use]
    pub const fn standard() -> Self {
        Self::every_working_day_at(NaiveTime::from_hms_opt(17, 30, 0).expect("a time of day"))
    }

    /// At this wall-clock time on working days in England and Wales.
    #[must_use]
    pub const fn every_working_day_at(at: NaiveTime) -> Self {
        Self::Daily {
            at,
            calendar: CalendarName::EnglandAndWales,
        }
    }

    /// The first cut-off strictly after `at`: whatever is queued at `at` goes with it.
    #[must_use]
    pub fn next_after(&self, at: DateTime<Utc>, calendars: &Calendars) -> DateTime<Utc> {
        match *self {
            Self::Daily { at: time, calendar } => next_daily(time, calendar, at, calendars),
            Self::EverySeconds(period) => {
                let period = i64::from(period.max(1));
                let next = (at.timestamp().div_euclid(period) + 1) * period;
                DateTime::from_timestamp(next, 0).unwrap_or_else(|| at + TimeDelta::seconds(period))
            }
        }
    }
}

fn next_daily(
    time: NaiveTime,
    calendar: CalendarName,
    at: DateTime<Utc>,
    calendars: &Calendars,
) -> DateTime<Utc> {
    let calendar = calendars.get(calendar);
    let mut day = calendar.working_day_from(local(at).date_naive());
    loop {
        let cut_off = instant(day.and_time(time));
        if cut_off > at {
            return cut_off;
        }
        day = calendar.working_days_after(day, 1);
    }
}
