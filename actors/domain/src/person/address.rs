//! Postal addresses: what a print house can put into an envelope's window.

/// An address to which a letter can be sent: one to six lines and a postcode.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PostalAddress {
    lines: Vec<String>,
}

super::hidden!(PostalAddress);

/// Why lines are not an address that can be posted to. Never repeats a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Too few or too many lines, empty ones not counted.
    #[error(
        "an address has {} to {} lines; the last is the postcode",
        PostalAddress::MIN_LINES,
        PostalAddress::MAX_LINES
    )]
    Lines,
    /// The last line is not a UK postcode.
    #[error("the last line of the address must be a UK postcode")]
    Postcode,
    /// A line begins with a character that print houses refuse.
    #[error("line {line} of the address begins with a character that cannot be printed there")]
    Start {
        /// Counted from 1, empty lines not counted.
        line: usize,
    },
    /// A line is too long for the window, or has control characters.
    #[error(
        "line {line} of the address has more than {} characters, or a line break",
        PostalAddress::MAX_LINE
    )]
    Line {
        /// Counted from 1, empty lines not counted.
        line: usize,
    },
    /// Says that there is no address.
    #[error("the address says that the patient has none: a person must phone")]
    NoFixedAbode,
}

impl PostalAddress {
    /// A street (or house) and a postcode.
    pub const MIN_LINES: usize = 2;
    /// As many as an envelope's window shows.
    pub const MAX_LINES: usize = 7;
    /// Longest line, in characters: 95 mm of window at the size that letters are addressed in.
    pub const MAX_LINE: usize = 60;

    /// Reads an address, one line each; the last is the postcode. Empty lines and white space around are dropped.
    ///
    /// # Errors
    /// [`AddressError`]; rules on characters and "no fixed abode" as GOV.UK Notify's letter specification has them.
    pub fn parse<S: AsRef<str>>(lines: &[S]) -> Result<Self, AddressError> {
        let mut lines: Vec<String> = lines
            .iter()
            .map(|line| line.as_ref().trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        if !(Self::MIN_LINES..=Self::MAX_LINES).contains(&lines.len()) {
            return Err(AddressError::Lines);
        }
        if lines.iter().any(|line| says_no_address(line)) {
            return Err(AddressError::NoFixedAbode);
        }
        for (index, line) in lines.iter().enumerate() {
            check_line(line, index + 1)?;
        }
        let last = lines.pop().ok_or(AddressError::Lines)?;
        lines.push(postcode(&last).ok_or(AddressError::Postcode)?);
        Ok(Self { lines })
    }

    /// The lines, the postcode last.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The address for its owner, who will know it again, and for nobody who looks over a shoulder: `…HR4 •••`.
    #[must_use]
    pub fn hint(&self) -> String {
        let outward = self.postcode().split(' ').next().unwrap_or_default();
        format!("…{outward} •••")
    }

    /// The postcode in its usual form, such as `HR1 2ER`.
    #[must_use]
    pub fn postcode(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }
}

fn check_line(line: &str, number: usize) -> Result<(), AddressError> {
    if line.starts_with([
        '@', '(', ')', '=', '[', ']', '"', '”', '\\', '/', ',', '<', '>',
    ]) {
        return Err(AddressError::Start { line: number });
    }
    if line.chars().count() > PostalAddress::MAX_LINE || line.chars().any(char::is_control) {
        return Err(AddressError::Line { line: number });
    }
    Ok(())
}

fn says_no_address(line: &str) -> bool {
    let letters: String = line
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_ascii_lowercase();
    matches!(
        letters.as_str(),
        "nofixedabode" | "nofixedaddress" | "nfa" | "addressunknown" | "notknown" | "unknown"
    )
}

/// The postcode in capitals with one space, if it has the form of one: `A9 9AA` to `AA9A 9AA`.
fn postcode(line: &str) -> Option<String> {
    let code: Vec<u8> = line
        .bytes()
        .filter(|b| *b != b' ')
        .map(|b| b.to_ascii_uppercase())
        .collect();
    if !(5..=7).contains(&code.len()) {
        return None;
    }
    let (outward, inward) = code.split_at(code.len() - 3);
    let shape: Vec<u8> = outward.iter().map(|b| shape(*b)).collect();
    let outward_fits = matches!(
        shape.as_slice(),
        b"A9" | b"A99" | b"AA9" | b"AA99" | b"A9A" | b"AA9A"
    );
    let inward_fits =
        inward[0].is_ascii_digit() && inward[1..].iter().all(|b| is_inward_letter(*b));
    (outward_fits && inward_fits).then(|| {
        format!(
            "{} {}",
            String::from_utf8_lossy(outward),
            String::from_utf8_lossy(inward)
        )
    })
}

const fn shape(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => b'A',
        b'0'..=b'9' => b'9',
        _ => b'?',
    }
}

/// The second half of a postcode never has C, I, K, M, O or V, which look like others.
const fn is_inward_letter(byte: u8) -> bool {
    byte.is_ascii_uppercase() && !matches!(byte, b'C' | b'I' | b'K' | b'M' | b'O' | b'V')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_lines_and_tidies_its_postcode() {
        let address = PostalAddress::parse(&[" 1 High Street ", "", "Hereford", "hr12er"])
            .expect("an address");
        assert_eq!(address.lines(), ["1 High Street", "Hereford", "HR1 2ER"]);
        assert_eq!(address.postcode(), "HR1 2ER");
        assert_eq!(format!("{address:?}"), "PostalAddress(…)");
    }

    #[test]
    fn postcodes_of_every_shape_are_known() {
        for (written, printed) in [
            ("M1 1AE", "M1 1AE"),
            ("b338th", "B33 8TH"),
            ("CR2 6XH", "CR2 6XH"),
            ("dn55 1pt", "DN55 1PT"),
            ("W1A 0AX", "W1A 0AX"),
            ("EC1A1BB", "EC1A 1BB"),
            ("BF1 2AA", "BF1 2AA"),
            ("NP25 3AA", "NP25 3AA"),
        ] {
            assert_eq!(postcode(written).as_deref(), Some(printed));
        }
        for wrong in [
            "",
            "HR1",
            "HR1 2E",
            "HR1 2EC",
            "H 2ER",
            "123 4AB",
            "HR111 2ER",
            "HRR1 2ER",
            "HR1 ÄER",
            "Hereford",
        ] {
            assert_eq!(postcode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_posted_is_refused_with_the_reason() {
        let seven = ["1", "2", "3", "4", "5", "6", "7", "HR1 2ER"];
        let long = "x".repeat(61);
        let cases: [(&[&str], AddressError); 8] = [
            (&["HR1 2ER"], AddressError::Lines),
            (&["", " ", "HR1 2ER"], AddressError::Lines),
            (&seven, AddressError::Lines),
            (&["1 High Street", "Hereford"], AddressError::Postcode),
            (
                &["1 High Street", "(rear)", "HR1 2ER"],
                AddressError::Start { line: 2 },
            ),
            (&[&long, "HR1 2ER"], AddressError::Line { line: 1 }),
            (
                &["1 High\nStreet", "HR1 2ER"],
                AddressError::Line { line: 1 },
            ),
            (&["No Fixed Abode", "HR1 2ER"], AddressError::NoFixedAbode),
        ];
        for (lines, why) in cases {
            assert_eq!(PostalAddress::parse(lines), Err(why), "{lines:?}");
        }
    }
}
