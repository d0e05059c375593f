//! Civil time: bank holidays, working days, staff hours, quiet hours and print cut-offs, all in Europe/London.
//!
//! The only place that turns wall-clock times into instants. Instants are stored and compared in UTC; nothing
//! here reads the clock, and everything answers the same on every node.
//!
//! **Clock changes.** A wall-clock time that does not exist (the hour skipped in March) means the instant at
//! which the clocks went forward; one that exists twice (the hour repeated in October) means the first time.

mod calendar;
mod holidays;
mod hours;
mod wait;

pub use calendar::{Calendar, CalendarName, Calendars};
pub use holidays::{BankHolidays, BankHolidaysError};
pub use hours::{CutOffs, QuietHours, WeekDays};
pub use wait::{Unit, Wait};

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc,
};
use chrono_tz::{Europe::London, Tz};

/// The instant as a wall clock in England and Wales shows it.
#[must_use]
pub fn local(at: DateTime<Utc>) -> DateTime<Tz> {
    at.with_timezone(&London)
}

/// The day that a wall calendar in England and Wales shows.
#[must_use]
pub fn local_date(at: DateTime<Utc>) -> NaiveDate {
    local(at).date_naive()
}

/// The instant at which wall clocks in England and Wales show this; see the module for clock changes.
#[must_use]
pub fn instant(wall: NaiveDateTime) -> DateTime<Utc> {
    match London.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.to_utc(),
        LocalResult::None => end_of_gap(wall),
    }
}

/// Midnight at the start of that day.
#[must_use]
pub fn start_of(day: NaiveDate) -> DateTime<Utc> {
    instant(day.and_time(NaiveTime::MIN))
}

/// The first instant after the gap that swallows `wall`.
///
/// British clocks jump by whole quarters of an hour on quarter hours, so stepping by 15 minutes finds the end.
fn end_of_gap(wall: NaiveDateTime) -> DateTime<Utc> {
    const QUARTER: i64 = 900;
    let into_quarter = wall.and_utc().timestamp().rem_euclid(QUARTER);
    let mut probe = wall - TimeDelta::seconds(into_quarter);
    loop {
        probe += TimeDelta::seconds(QUARTER);
        if let Some(at) = London.from_local_datetime(&probe).earliest() {
            return at.to_utc();
        }
    }
}

/// `day` plus `days`, kept inside what the calendar can express (far beyond any letter).
pub(crate) fn plus_days(day: NaiveDate, days: i64) -> NaiveDate {
    let moved = if days >= 0 {
        day.checked_add_days(Days::new(days.unsigned_abs()))
    } else {
        day.checked_sub_days(Days::new(days.unsigned_abs()))
    };
    moved.unwrap_or(day)
}

#[cfg(test)]
pub(crate) mod tests;
