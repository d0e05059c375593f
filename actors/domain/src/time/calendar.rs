//! Calendars: which days are working days, and when the booking office is staffed.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc, Weekday};

use super::{BankHolidays, instant, plus_days};

/// Which calendar a wait is counted in, as settings name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CalendarName {
    /// Monday to Friday less bank holidays, 00–24 Europe/London; staff hours 08–18.
    EnglandAndWales,
    /// Time never stands still: a working day is 24 hours, a working hour 60 minutes.
    Always,
}

impl CalendarName {
    /// Both calendars.
    pub const ALL: [Self; 2] = [Self::EnglandAndWales, Self::Always];

    /// The name in settings and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EnglandAndWales => "england-and-wales",
            Self::Always => "always",
        }
    }

    /// The calendar that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|calendar| calendar.name() == name)
    }
}

/// All calendars, ready to count in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Calendars {
    england_and_wales: Arc<BankHolidays>,
}

impl Calendars {
    /// With the bank holidays that ship with this version.
    #[must_use]
    pub fn built_in() -> Self {
        Self::new(BankHolidays::built_in().clone())
    }

    /// With another list of bank holidays.
    #[must_use]
    pub fn new(england_and_wales: BankHolidays) -> Self {
        Self {
            england_and_wales: Arc::new(england_and_wales),
        }
    }

    /// The calendar of that name.
    #[must_use]
    pub fn get(&self, name: CalendarName) -> Calendar<'_> {
        match name {
            CalendarName::EnglandAndWales => Calendar::EnglandAndWales(&self.england_and_wales),
            CalendarName::Always => Calendar::Always,
        }
    }

    /// The bank holidays in use.
    #[must_use]
    pub fn bank_holidays(&self) -> &BankHolidays {
        &self.england_and_wales
    }
}

/// A calendar to count in; got from [`Calendars::get`].
#[derive(Clone, Copy, Debug)]
pub enum Calendar<'a> {
    /// See [`CalendarName::EnglandAndWales`].
    EnglandAndWales(&'a BankHolidays),
    /// See [`CalendarName::Always`].
    Always,
}

/// When the booking office opens and closes on a working day.
pub(super) const OPENS: NaiveTime = NaiveTime::from_hms_opt(8, 0, 0).expect("a time of day");
pub(super) const CLOSES: NaiveTime = NaiveTime::from_hms_opt(18, 0, 0).expect("a time of day");

impl Calendar<'_> {
    /// Whether that day counts.
    #[must_use]
    pub fn is_working_day(&self, day: NaiveDate) -> bool {
        match self {
            Self::Always => true,
            Self::EnglandAndWales(holidays) => {
                !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !holidays.contains(day)
            }
        }
    }

    /// The first working day on or after `day`.
    #[must_use]
    pub fn working_day_from(&self, mut day: NaiveDate) -> NaiveDate {
        while !self.is_working_day(day) {
            day = plus_days(day, 1);
        }
        day
    }

    /// The last working day on or before `day`.
    #[must_use]
    pub fn working_day_until(&self, mut day: NaiveDate) -> NaiveDate {
        while !self.is_working_day(day) {
            day = plus_days(day, -1);
        }
        day
    }

    /// The `n`th working day after the working day `day`.
    pub(super) fn working_days_after(&self, mut day: NaiveDate, n: u32) -> NaiveDate {
        for _ in 0..n {
            day = self.working_day_from(plus_days(day, 1));
        }
        day
    }

    /// The `n`th working day before the working day `day`.
    pub(super) fn working_days_before(&self, mut day: NaiveDate, n: u32) -> NaiveDate {
        for _ in 0..n {
            day = self.working_day_until(plus_days(day, -1));
        }
        day
    }

    /// When the booking office closes on that day (18:00 by the wall clock).
    #[must_use]
    pub fn office_closes(&self, day: NaiveDate) -> DateTime<Utc> {
        instant(day.and_time(CLOSES))
    }
}
