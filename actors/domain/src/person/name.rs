//! Names and dates of birth.

use std::str::FromStr;

use chrono::{Datelike, NaiveDate};

/// A person's name as the hospital has it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonName {
    given: String,
    family: String,
}

/// A date of birth.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BirthDate(NaiveDate);

super::hidden!(PersonName, BirthDate);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The given or family name is empty.
    #[error("give both a given name and a family name; a person with one name has it in both")]
    Empty,
    /// Longer than any hospital system holds.
    #[error("a name has at most {} characters", PersonName::MAX)]
    TooLong,
    /// Has control characters, such as line breaks.
    #[error("a name cannot have line breaks or control characters")]
    Control,
}

impl PersonName {
    /// Longest given or family name, in characters; hospital systems hold fewer.
    pub const MAX: usize = 100;

    /// Reads a name; white space at the ends is dropped, inside it is kept as one space.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn parse(given: &str, family: &str) -> Result<Self, NameError> {
        Ok(Self {
            given: one_line(given)?,
            family: one_line(family)?,
        })
    }

    /// The given name, or names.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// The family name.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }

    /// Both, as on an envelope.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

fn one_line(text: &str) -> Result<String, NameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    if text.chars().count() > PersonName::MAX {
        return Err(NameError::TooLong);
    }
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Why a text is not a date of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BirthDateError {
    /// Not a date.
    #[error("a date of birth looks like 1948-03-09")]
    NotADate,
    /// Before anybody now living was born.
    #[error("a date of birth lies after 1890")]
    TooEarly,
}

impl BirthDate {
    /// Takes a date. Whether it lies in the future is for [`BirthDate::age_on`] to say.
    ///
    /// # Errors
    /// [`BirthDateError::TooEarly`] before 1890.
    pub fn new(date: NaiveDate) -> Result<Self, BirthDateError> {
        if date.year() < 1890 {
            Err(BirthDateError::TooEarly)
        } else {
            Ok(Self(date))
        }
    }

    /// The date, for storage and for comparing identities.
    #[must_use]
    pub const fn expose(&self) -> NaiveDate {
        self.0
    }

    /// Whole years of age on that day; `None` before birth.
    ///
    /// Someone born on 29 February comes of age on 1 March in a year without that day, as in English law.
    #[must_use]
    pub fn age_on(&self, day: NaiveDate) -> Option<u32> {
        day.years_since(self.0)
    }

    /// Whether the person is 16 or older on that day.
    #[must_use]
    pub fn is_sixteen_on(&self, day: NaiveDate) -> bool {
        self.age_on(day).is_some_and(|age| age >= 16)
    }
}

impl FromStr for BirthDate {
    type Err = BirthDateError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text.trim().parse().map_err(|_| BirthDateError::NotADate)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn somebody_is_sixteen_on_the_birthday_itself() {
        for (born, on, age, sixteen) in [
            ("2010-03-09", "2026-03-08", Some(15), false),
            ("2010-03-09", "2026-03-09", Some(16), true),
            ("2010-12-31", "2026-12-30", Some(15), false),
            ("2012-02-29", "2028-02-28", Some(15), false),
            ("2012-02-29", "2028-02-29", Some(16), true),
            ("2012-02-29", "2027-02-28", Some(14), false),
            ("2012-02-29", "2027-03-01", Some(15), false),
            ("2027-01-01", "2026-12-31", None, false),
            ("1912-06-23", "2026-03-09", Some(113), true),
        ] {
            let born: BirthDate = born.parse().expect("a date of birth");
            assert_eq!(born.age_on(day(on)), age, "on {on}");
            assert_eq!(born.is_sixteen_on(day(on)), sixteen, "on {on}");
        }
    }

    #[test]
    fn sixteen_after_a_leap_day_that_the_century_leaves_out_is_on_the_first_of_march() {
        let born: BirthDate = "2084-02-29".parse().expect("a date of birth");
        assert!(!born.is_sixteen_on(day("2100-02-28")));
        assert!(born.is_sixteen_on(day("2100-03-01")));
    }

    #[test]
    fn dates_of_birth_are_dates() {
        assert_eq!(
            "09/03/1948".parse::<BirthDate>(),
            Err(BirthDateError::NotADate)
        );
        assert_eq!(
            "2026-02-29".parse::<BirthDate>(),
            Err(BirthDateError::NotADate)
        );
        assert_eq!(
            "1748-03-09".parse::<BirthDate>(),
            Err(BirthDateError::TooEarly)
        );
    }

    #[test]
    fn names_are_kept_as_one_line() {
        let name = PersonName::parse("  Mary  Ann ", "O'Neill-Ŵyn").expect("a name");
        assert_eq!(name.full(), "Mary Ann O'Neill-Ŵyn");
        assert_eq!((name.given(), name.family()), ("Mary Ann", "O'Neill-Ŵyn"));
        assert_eq!(PersonName::parse("Mary", " "), Err(NameError::Empty));
        assert_eq!(
            PersonName::parse("Mary\nAnn", "Lee"),
            Err(NameError::Control)
        );
        assert_eq!(
            PersonName::parse(&"a".repeat(101), "Lee"),
            Err(NameError::TooLong)
        );
        assert_eq!(format!("{name:?}"), "PersonName(…)");
    }
}
