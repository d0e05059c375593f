//! NHS numbers: ten digits, the last of which checks the others.

use std::str::FromStr;

/// A well-formed NHS number. Whether anybody has it is the hospital's business.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NhsNumber(nhs_number::NHSNumber);

super::hidden!(NhsNumber);

/// Why a text is not an NHS number. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NhsNumberError {
    /// Not ten digits, apart from spaces.
    #[error("an NHS number has 10 digits, such as 999 000 0018")]
    Length,
    /// Begins with 0: never issued as an NHS number (such numbers are Scottish CHI numbers).
    #[error("an NHS number does not begin with 0")]
    LeadingZero,
    /// A digit is wrong.
    #[error("the NHS number's check digit is wrong; please check it against a letter")]
    CheckDigit,
}

impl NhsNumber {
    /// Reads a number as people write it: spaces anywhere are ignored.
    ///
    /// # Errors
    /// [`NhsNumberError`]; the check digit is modulus 11 as the NHS Data Dictionary gives it.
    pub fn parse(text: &str) -> Result<Self, NhsNumberError> {
        let digits: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(11)
            .collect();
        let number =
            nhs_number::NHSNumber::from_str(&digits).map_err(|_| NhsNumberError::Length)?;
        if number.digits[0] == 0 {
            return Err(NhsNumberError::LeadingZero);
        }
        if number.validate_check_digit() {
            Ok(Self(number))
        } else {
            Err(NhsNumberError::CheckDigit)
        }
    }

    /// The ten digits without spaces: for storage and for systems that need the number itself.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0
            .digits
            .iter()
            .map(|digit| char::from(b'0' + digit.unsigned_abs()))
            .collect()
    }

    /// As printed on letters: `999 000 0018`.
    #[must_use]
    pub fn printed(&self) -> String {
        let digits = self.expose();
        format!("{} {} {}", &digits[..3], &digits[3..6], &digits[6..])
    }
}

impl FromStr for NhsNumber {
    type Err = NhsNumberError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in [
            "9434765919",
            "943 476 5919",
            "  943 476 5919\n",
            "94 34 76 59 19",
        ] {
            assert_eq!(
                NhsNumber::parse(text).expect("valid").expose(),
                "9434765919"
            );
        }
        assert_eq!(
            NhsNumber::parse("9434765919").expect("valid").printed(),
            "943 476 5919"
        );
    }

    #[test]
    fn r6_2_what_is_not_an_nhs_number_is_refused_with_the_reason() {
        for (text, why) in [
            ("", NhsNumberError::Length),
            ("943476591", NhsNumberError::Length),
            ("94347659190", NhsNumberError::Length),
            ("943-476-5919", NhsNumberError::Length),
            ("٩٤٣٤٧٦٥٩١٩", NhsNumberError::Length),
            ("0000000000", NhsNumberError::LeadingZero),
            ("0101010107", NhsNumberError::LeadingZero),
            ("9434765918", NhsNumberError::CheckDigit),
        ] {
            assert_eq!(NhsNumber::parse(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_number_never_shows_itself_in_logs() {
        let number = NhsNumber::parse("9434765919").expect("valid");
        assert_eq!(
            format!("{number:?} {:?}", Some(number)),
            "NhsNumber(…) Some(NhsNumber(…))"
        );
        assert!(!NhsNumberError::CheckDigit.to_string().contains("943"));
    }

    /// The rule itself, written again: weights 10 to 2, 11 less the remainder, 11 counts as 0, 10 is refused.
    fn check_digit(nine: &[u32]) -> Option<u32> {
        let sum: u32 = nine
            .iter()
            .zip((2..=10).rev())
            .map(|(digit, weight)| digit * weight)
            .sum();
        match 11 - sum % 11 {
            11 => Some(0),
            10 => None,
            digit => Some(digit),
        }
    }

    proptest! {
        #[test]
        fn exactly_one_last_digit_is_right(first in 1u32..10, rest in proptest::collection::vec(0u32..10, 8)) {
            let nine: Vec<u32> = std::iter::once(first).chain(rest).collect();
            let right: Vec<u32> = (0..10)
                .filter(|last| {
                    let text: String = nine.iter().chain([last]).map(ToString::to_string).collect();
                    NhsNumber::parse(&text).is_ok()
                })
                .collect();
            prop_assert_eq!(right, check_digit(&nine).into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_text_is_either_refused_or_read_back(text in "\\PC{0,16}") {
            if let Ok(number) = NhsNumber::parse(&text) {
                prop_assert_eq!(NhsNumber::parse(&number.printed()), Ok(number));
            }
        }
    }
}
