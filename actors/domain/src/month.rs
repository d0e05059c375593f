//! A month as a calendar shows it: whole weeks from Monday to Sunday. Knows no time zone and no clock.

use std::fmt;

use chrono::{Datelike, Days, NaiveDate};

/// The first and last year that can be paged to: no appointment lies outside.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2169;

/// One month of one year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

impl Month {
    /// The month that holds this day.
    #[must_use]
    pub fn of(day: NaiveDate) -> Self {
        Self {
            first: day.with_day(1).unwrap_or(day),
        }
    }

    /// `2026-11`; `None` for anything else, or a year that nobody needs.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        if year.len() != 4 || month.len() != 2 {
            return None;
        }
        let first = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?;
        YEARS.contains(&first.year()).then_some(Self { first })
    }

    /// Its first day.
    #[must_use]
    pub const fn first(self) -> NaiveDate {
        self.first
    }

    /// The month after; the last one stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self::bounded(self.first + Days::new(31)).unwrap_or(self)
    }

    /// The month before; the first one stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self::bounded(self.first - Days::new(1)).unwrap_or(self)
    }

    fn bounded(day: NaiveDate) -> Option<Self> {
        YEARS.contains(&day.year()).then(|| Self::of(day))
    }

    /// Whether the day lies in it.
    #[must_use]
    pub fn holds(self, day: NaiveDate) -> bool {
        Self::of(day) == self
    }

    /// Its weeks from Monday; days of other months are empty places.
    #[must_use]
    pub fn weeks(self) -> Vec<[Option<NaiveDate>; 7]> {
        let lead = u64::from(self.first.weekday().num_days_from_monday());
        let monday = self.first - Days::new(lead);
        let mut weeks = Vec::with_capacity(6);
        for week in 0..6 {
            let start = monday + Days::new(week * 7);
            let days: [Option<NaiveDate>; 7] = std::array::from_fn(|offset| {
                Some(start + Days::new(offset as u64)).filter(|day| self.holds(*day))
            });
            if days.iter().any(Option::is_some) {
                weeks.push(days);
            }
        }
        weeks
    }
}

/// `2026-11`, as addresses carry it.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first.format("%Y-%m"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn r29_1_november_2026_begins_on_a_sunday() {
        let month = Month::parse("2026-11").expect("a month");
        let weeks = month.weeks();
        assert_eq!(weeks.len(), 6);
        assert_eq!(
            weeks[0],
            [None, None, None, None, None, None, Some(day("2026-11-01"))]
        );
        assert_eq!(weeks[5][0], Some(day("2026-11-30")));
        assert_eq!(
            (month.previous().to_string(), month.next().to_string()),
            ("2026-10".into(), "2026-12".into())
        );
    }

    #[test]
    fn r29_1_addresses_that_are_no_month_are_none() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "26-11",
            "2026-1",
            "2026-11-01",
            "1969-12",
            "2170-01",
            "+026-11",
        ] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
        let last = Month::parse("2169-12").expect("a month");
        assert_eq!(last.next(), last);
        let first = Month::parse("1970-01").expect("a month");
        assert_eq!(first.previous(), first);
    }

    proptest! {
        /// Every day of a month stands once, in order, under its weekday.
        #[test]
        fn every_day_stands_once_under_its_weekday(year in 1970i32..=2169, number in 1u32..=12) {
            let first = NaiveDate::from_ymd_opt(year, number, 1).expect("a day");
            let month = Month::of(first);
            let mut expected = first;
            for week in month.weeks() {
                for (place, day) in week.into_iter().enumerate() {
                    if let Some(day) = day {
                        prop_assert_eq!(day, expected);
                        prop_assert_eq!(day.weekday().num_days_from_monday() as usize, place);
                        expected = expected + Days::new(1);
                    }
                }
            }
            prop_assert_eq!(Month::of(expected), Month::of(first + Days::new(31)));
            prop_assert!(month.next().previous() == month || month.next() == month);
        }
    }
}
