//! Bank holidays as data: which days they are, where that comes from, and how far ahead it is known.

use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};

/// The bank holidays of England and Wales for a run of whole years.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankHolidays {
    source: String,
    first_year: i32,
    last_year: i32,
    days: Vec<NaiveDate>,
}

/// What is wrong with a bank-holiday file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BankHolidaysError {
    /// No `# source:` line.
    #[error("the bank-holiday file does not say where it comes from; add a line `# source: …`")]
    NoSource,
    /// No `# covers:` line, or not of the form `2024-2028`.
    #[error(
        "the bank-holiday file does not say which years it covers; add a line `# covers: 2024-2028`"
    )]
    NoYears,
    /// A line that does not begin with a date, or is out of order, at a weekend or outside the covered years.
    #[error("line {line} of the bank-holiday file: {why}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What to mend.
        why: &'static str,
    },
}

static BUILT_IN: LazyLock<BankHolidays> = LazyLock::new(|| {
    BankHolidays::parse(include_str!("../../data/bank_holidays.txt"))
        .expect("the bank-holiday file is compiled in and a test parses it")
});

impl BankHolidays {
    /// The list that ships with this version.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads a list in the form of `data/bank_holidays.txt`.
    ///
    /// # Errors
    /// [`BankHolidaysError`], naming the line: a wrong list is worse than none, so nothing is skipped.
    pub fn parse(text: &str) -> Result<Self, BankHolidaysError> {
        let source = header(text, "# source:").ok_or(BankHolidaysError::NoSource)?;
        let (first_year, last_year) = header(text, "# covers:")
            .and_then(years)
            .ok_or(BankHolidaysError::NoYears)?;
        let mut list = Self {
            source: source.to_owned(),
            first_year,
            last_year,
            days: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            if !line.trim().is_empty() && !line.starts_with('#') {
                list.push(line).map_err(|why| BankHolidaysError::Line {
                    line: index + 1,
                    why,
                })?;
            }
        }
        Ok(list)
    }

    fn push(&mut self, line: &str) -> Result<(), &'static str> {
        let (date, name) = line
            .split_once(' ')
            .ok_or("write the date, a space and the name")?;
        let day = date
            .parse::<NaiveDate>()
            .map_err(|_| "the date must look like 2026-12-25")?;
        if name.trim().is_empty() {
            return Err("the day needs a name");
        }
        if !(self.first_year..=self.last_year).contains(&day.year()) {
            return Err("the day is outside the years that the file says it covers");
        }
        if day.weekday().number_from_monday() > 5 {
            return Err("the day is at a weekend; give its substitute day");
        }
        if self.days.last().is_some_and(|last| *last >= day) {
            return Err("days must rise");
        }
        self.days.push(day);
        Ok(())
    }

    /// Whether that day is a bank holiday. Outside the covered years nothing is known and the answer is no.
    #[must_use]
    pub fn contains(&self, day: NaiveDate) -> bool {
        self.days.binary_search(&day).is_ok()
    }

    /// Whether the list knows that day's year; a deadline that reaches further is computed without holidays.
    #[must_use]
    pub fn covers(&self, day: NaiveDate) -> bool {
        (self.first_year..=self.last_year).contains(&day.year())
    }

    /// The last day the list knows about. An alarm must sound well before it.
    #[must_use]
    pub fn covers_until(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.last_year, 12, 31).unwrap_or(NaiveDate::MAX)
    }

    /// Where the list comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All the days, rising.
    #[must_use]
    pub fn days(&self) -> &[NaiveDate] {
        &self.days
    }
}

fn header<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(label))
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

fn years(range: &str) -> Option<(i32, i32)> {
    let (first, last) = range.split_once('-')?;
    let years = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (years.0 <= years.1 && (1900..=9999).contains(&years.1)).then_some(years)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Days, Weekday};

    /// Easter Sunday by the anonymous Gregorian computus (Meeus, Astronomical Algorithms, chapter 8).
    fn easter(year: i32) -> NaiveDate {
        let (a, b, c) = (year % 19, year / 100, year % 100);
        let (d, e, f) = (b / 4, b % 4, (b + 8) / 25);
        let g = (b - f + 1) / 3;
        let h = (19 * a + b - d - g + 15) % 30;
        let (i, k) = (c / 4, c % 4);
        let l = (32 + 2 * e + 2 * i - h - k) % 7;
        let m = (a + 11 * h + 22 * l) / 451;
        let n = h + l - 7 * m + 114;
        day(year, n / 31, n % 31 + 1)
    }

    fn day(year: i32, month: i32, day: i32) -> NaiveDate {
        NaiveDate::from_ymd_opt(
            year,
            u32::try_from(month).expect("month"),
            u32::try_from(day).expect("day"),
        )
        .expect("a real day")
    }

    fn next_free(mut day: NaiveDate, taken: &[NaiveDate]) -> NaiveDate {
        while matches!(day.weekday(), Weekday::Sat | Weekday::Sun) || taken.contains(&day) {
            day = day + Days::new(1);
        }
        day
    }

    fn last_monday(year: i32, month: i32) -> NaiveDate {
        (1..=31)
            .rev()
            .filter_map(|d| NaiveDate::from_ymd_opt(year, u32::try_from(month).expect("month"), d))
            .find(|d| d.weekday() == Weekday::Mon)
            .expect("every month has a Monday")
    }

    /// The year's holidays by the rules of the Act and the yearly proclamations, written independently of the file.
    fn by_the_rules(year: i32) -> Vec<NaiveDate> {
        let christmas = next_free(day(year, 12, 25), &[]);
        // Christmas on a Sunday: Boxing Day keeps Monday the 26th and Christmas moves to Tuesday the 27th.
        let (christmas, boxing) = match day(year, 12, 25).weekday() {
            Weekday::Sun => (day(year, 12, 27), day(year, 12, 26)),
            _ => (christmas, next_free(day(year, 12, 26), &[christmas])),
        };
        let first_monday_of_may = next_monday(day(year, 5, 1));
        let mut days = vec![
            next_free(day(year, 1, 1), &[]),
            easter(year) - Days::new(2),
            easter(year) + Days::new(1),
            first_monday_of_may,
            last_monday(year, 5),
            last_monday(year, 8),
            christmas,
            boxing,
        ];
        days.sort_unstable();
        days
    }

    fn next_monday(mut day: NaiveDate) -> NaiveDate {
        while day.weekday() != Weekday::Mon {
            day = day + Days::new(1);
        }
        day
    }

    #[test]
    fn the_file_agrees_with_the_rules_worked_out_independently() {
        let expected: Vec<_> = (2024..=2028).flat_map(by_the_rules).collect();
        assert_eq!(BankHolidays::built_in().days(), expected);
    }

    #[test]
    fn the_computus_knows_some_famous_easters() {
        for (year, month, d) in [
            (1818, 3, 22),
            (1943, 4, 25),
            (2000, 4, 23),
            (2024, 3, 31),
            (2038, 4, 25),
        ] {
            assert_eq!(easter(year), day(year, month, d));
        }
    }

    #[test]
    fn the_list_names_its_source_and_its_last_day() {
        let list = BankHolidays::built_in();
        assert!(list.source().contains("gov.uk"));
        assert_eq!(list.covers_until(), day(2028, 12, 31));
        assert!(list.covers(day(2024, 1, 1)) && !list.covers(day(2029, 1, 1)));
    }

    #[test]
    fn a_wrong_list_is_refused_with_its_line() {
        let head = "# source: a test\n# covers: 2026-2026\n";
        for (body, line, why) in [
            (
                "2026-12-25 Christmas Day\n2026-01-01 New Year's Day\n",
                4,
                "days must rise",
            ),
            ("2026-12-26 Boxing Day\n", 3, "weekend"),
            ("2027-01-01 New Year's Day\n", 3, "outside the years"),
            ("25/12/2026 Christmas Day\n", 3, "must look like"),
            ("2026-12-25\n", 3, "a space and the name"),
        ] {
            match BankHolidays::parse(&format!("{head}{body}")) {
                Err(BankHolidaysError::Line {
                    line: at,
                    why: said,
                }) => {
                    assert_eq!(at, line, "{body}");
                    assert!(said.contains(why), "{said} should say {why}");
                }
                other => panic!("{body} gave {other:?}"),
            }
        }
        assert_eq!(
            BankHolidays::parse("# covers: 2026-2026\n"),
            Err(BankHolidaysError::NoSource)
        );
        assert_eq!(
            BankHolidays::parse("# source: a test\n# covers: ever\n"),
            Err(BankHolidaysError::NoYears)
        );
    }
}
