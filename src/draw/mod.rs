//! Letters as pictures: on a public computer View answers these and their text instead of a file, so that nothing
//! is left in a viewer, a cache or a download folder.
//!
//! A file that came from outside is drawn as it is inspected: in a confined child process, which is thrown away after
//! one letter. The server itself never reads it.

mod child;
mod page;
mod pool;
mod text;

pub use child::run as run_child;
pub use page::Drawn;
pub use pool::{DrawError, Drawer, Limits};

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use crate::pdf::{Fonts, HospitalLetter, hospital_letter};

    /// A letter of two pages, as the demonstration's hospital writes them.
    pub(super) fn letter() -> Vec<u8> {
        let lines = |lines: &[&str]| {
            lines
                .iter()
                .map(|&line| line.to_owned())
                .collect::<Vec<_>>()
        };
        let long = "You have an appointment at the eye clinic. Please come ten minutes early. ";
        hospital_letter(
            &Fonts::load().expect("the letters' fonts"),
            &HospitalLetter {
                trust: "Wye Valley NHS Trust",
                sender_lines: &lines(&["Eye clinic", "01432 000000"]),
                address_lines: &lines(&["Margaret Jones", "3 Wye Terrace", "HR2 7QJ"]),
                date: NaiveDate::from_ymd_opt(2026, 11, 22).expect("a day"),
                salutation: "Dear Margaret Jones",
                subject: "Your eye clinic appointment",
                facts: &[("Date", "Tuesday 8 December 2026".to_owned())],
                paragraphs: &vec![long.repeat(6); 9],
                bullets: &[],
                signature: &lines(&["Booking office"]),
            },
        )
        .expect("a letter")
    }
}
