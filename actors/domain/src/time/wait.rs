//! Waits: how long after (or before) an instant something is due, counted in working time.

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{CLOSES, OPENS};
use super::{Calendar, CalendarName, Calendars, instant, local, plus_days, start_of};

/// What a wait is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// The same wall-clock time so many working days later.
    WorkingDays,
    /// Hours in which the booking office is staffed (08–18 on working days).
    WorkingHours,
    /// Minutes; in the calendar `england-and-wales` they pass only while the booking office is staffed.
    Minutes,
    /// Seconds, as [`Unit::Minutes`]; meant for demonstrations and tests.
    Seconds,
}

impl Unit {
    /// All units.
    pub const ALL: [Self; 4] = [
        Self::WorkingDays,
        Self::WorkingHours,
        Self::Minutes,
        Self::Seconds,
    ];

    /// The name in settings and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorkingDays => "working_days",
            Self::WorkingHours => "working_hours",
            Self::Minutes => "minutes",
            Self::Seconds => "seconds",
        }
    }

    /// The unit that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.name() == name)
    }

    const fn seconds(self) -> i64 {
        match self {
            Self::WorkingDays => 86_400,
            Self::WorkingHours => 3_600,
            Self::Minutes => 60,
            Self::Seconds => 1,
        }
    }
}

/// A length of working time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Wait {
    /// How many.
    pub amount: u32,
    /// Of what.
    pub unit: Unit,
    /// On whose calendar.
    pub calendar: CalendarName,
}

impl Wait {
    /// The longest wait that is counted, in working days or the like; beyond it a policy is refused.
    ///
    /// Counting steps day by day, so the bound also bounds the work: a year is far more than any letter waits.
    pub const MAX_WORKING_DAYS: u32 = 366;

    /// No wait at all.
    pub const NONE: Self = Self::seconds(0);

    /// So many working days in England and Wales.
    #[must_use]
    pub const fn working_days(amount: u32) -> Self {
        Self {
            amount,
            unit: Unit::WorkingDays,
            calendar: CalendarName::EnglandAndWales,
        }
    }

    /// So many hours in which the booking office is staffed.
    #[must_use]
    pub const fn working_hours(amount: u32) -> Self {
        Self {
            amount,
            unit: Unit::WorkingHours,
            calendar: CalendarName::EnglandAndWales,
        }
    }

    /// So many hours by the clock, nights and holidays included.
    #[must_use]
    pub const fn hours(amount: u32) -> Self {
        Self {
            amount: amount * 60,
            unit: Unit::Minutes,
            calendar: CalendarName::Always,
        }
    }

    /// So many minutes by the clock.
    #[must_use]
    pub const fn minutes(amount: u32) -> Self {
        Self {
            amount,
            unit: Unit::Minutes,
            calendar: CalendarName::Always,
        }
    }

    /// So many seconds by the clock.
    #[must_use]
    pub const fn seconds(amount: u32) -> Self {
        Self {
            amount,
            unit: Unit::Seconds,
            calendar: CalendarName::Always,
        }
    }

    /// So many days of 24 hours.
    #[must_use]
    pub const fn days(amount: u32) -> Self {
        Self {
            amount,
            unit: Unit::WorkingDays,
            calendar: CalendarName::Always,
        }
    }

    /// The length by the clock, ignoring calendars.
    #[must_use]
    pub fn nominal(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.amount) * self.unit.seconds())
    }

    /// When the wait is over that begins at `start`. No wait ends at once, on any day.
    ///
    /// Working days: the same wall-clock time that many working days later; a start on a day that is not one
    /// counts from 00:00 of the next working day. Working hours and shorter: the end falls into staffed time,
    /// at 18:00 rather than at 08:00 of the next day.
    #[must_use]
    pub fn after(&self, start: DateTime<Utc>, calendars: &Calendars) -> DateTime<Utc> {
        let calendar = calendars.get(self.calendar);
        match (calendar, self.unit) {
            _ if self.amount == 0 => start,
            (Calendar::Always, _) => start
                .checked_add_signed(self.nominal())
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
            (_, Unit::WorkingDays) => days_after(calendar, start, self.amount),
            _ => staffed_after(calendar, start, self.nominal()),
        }
    }

    /// When the wait must begin in order to be over at `end`.
    ///
    /// An end on a day that is not a working day counts back from 24:00 of the last working day before it,
    /// so the answer is never later than the patient is owed.
    #[must_use]
    pub fn before(&self, end: DateTime<Utc>, calendars: &Calendars) -> DateTime<Utc> {
        let calendar = calendars.get(self.calendar);
        match (calendar, self.unit) {
            _ if self.amount == 0 => end,
            (Calendar::Always, _) => end
                .checked_sub_signed(self.nominal())
                .unwrap_or(DateTime::<Utc>::MIN_UTC),
            (_, Unit::WorkingDays) => days_before(calendar, end, self.amount),
            _ => staffed_before(calendar, end, self.nominal()),
        }
    }

    /// The last instant that still counts as within this wait of `start`: in working days to the end of that
    /// day, otherwise as [`Wait::after`]. "Within 3 working days" means the whole third day.
    #[must_use]
    pub fn reach(&self, start: DateTime<Utc>, calendars: &Calendars) -> DateTime<Utc> {
        let end = self.after(start, calendars);
        match (self.unit, self.calendar) {
            (Unit::WorkingDays, CalendarName::EnglandAndWales) => {
                start_of(plus_days(super::local_date(end), 1))
            }
            _ => end,
        }
    }
}

fn days_after(calendar: Calendar<'_>, start: DateTime<Utc>, n: u32) -> DateTime<Utc> {
    let wall = local(start).naive_local();
    let first = calendar.working_day_from(wall.date());
    let day = calendar.working_days_after(first, n);
    if first == wall.date() {
        instant(day.and_time(wall.time()))
    } else {
        start_of(day)
    }
}

fn days_before(calendar: Calendar<'_>, end: DateTime<Utc>, n: u32) -> DateTime<Utc> {
    let wall = local(end).naive_local();
    let last = calendar.working_day_until(wall.date());
    let day = calendar.working_days_before(last, n);
    if last == wall.date() {
        instant(day.and_time(wall.time()))
    } else {
        start_of(plus_days(day, 1))
    }
}

fn staffed_after(
    calendar: Calendar<'_>,
    start: DateTime<Utc>,
    mut left: TimeDelta,
) -> DateTime<Utc> {
    let mut day = calendar.working_day_from(super::local_date(start));
    loop {
        let opens = instant(day.and_time(OPENS)).max(start);
        let closes = instant(day.and_time(CLOSES));
        let staffed = (closes - opens).max(TimeDelta::zero());
        if left <= staffed {
            return opens + left;
        }
        left -= staffed;
        day = calendar.working_days_after(day, 1);
    }
}

fn staffed_before(
    calendar: Calendar<'_>,
    end: DateTime<Utc>,
    mut left: TimeDelta,
) -> DateTime<Utc> {
    let mut day = calendar.working_day_until(super::local_date(end));
    loop {
        let opens = instant(day.and_time(OPENS));
        let closes = instant(day.and_time(CLOSES)).min(end);
        let staffed = (closes - opens).max(TimeDelta::zero());
        if left <= staffed {
            return closes - left;
        }
        left -= staffed;
        day = calendar.working_days_before(day, 1);
    }
}
