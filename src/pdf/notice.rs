//! The plain notices that go on paper: an appointment booked, moved or cancelled, and the cover sheet of a letter.
//!
//! Says no more than the patient needs: when, where, whom to call. No clinical words beyond the clinic's own name.

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;

use super::draw::draw;
use super::layout::{Block, Sheet, TextSize};
use super::{Fonts, PdfError};

/// Who writes and to whom. Shared by notices and cover sheets.
#[derive(Clone)]
pub struct Sender<'a> {
    /// Name of the trust.
    pub trust: &'a str,
    /// Clinic or department.
    pub clinic: &'a str,
    /// Telephone number that answers questions about this.
    pub phone: &'a str,
    /// When somebody answers it, as the trust words it.
    pub hours: Option<&'a str>,
    /// The patient's name as it stands above the address.
    pub name: &'a str,
    /// Without the name, postcode last; at most six lines.
    pub address_lines: &'a [String],
    /// Date of the paper.
    pub date: NaiveDate,
    /// Sets the text at 18 points for patients who need large print.
    pub large_print: bool,
}

impl std::fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

/// What has happened to the appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new appointment.
    Booked,
    /// Another date, time or place than before.
    Moved,
    /// It will not take place.
    Cancelled,
}

/// An appointment as the paper states it.
#[derive(Clone)]
pub struct AppointmentNotice<'a> {
    /// Who writes to whom.
    pub sender: Sender<'a>,
    /// What has happened.
    pub change: Change,
    /// When it is, or would have been, in the hospital's own time zone.
    pub starts_at: DateTime<Tz>,
    /// Where it is, or would have been.
    pub location: &'a str,
    /// What the trust asks the patient to do or bring.
    pub instructions: Option<&'a str>,
}

impl std::fmt::Debug for AppointmentNotice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppointmentNotice")
            .field("change", &self.change)
            .finish_non_exhaustive()
    }
}

/// The notice of an appointment, one page.
///
/// # Errors
/// [`PdfError::Invalid`] if the file would break the rules of PDF/A-2a or PDF/UA-1.
pub fn appointment_notice(
    fonts: &Fonts,
    notice: &AppointmentNotice<'_>,
) -> Result<Vec<u8>, PdfError> {
    let (heading, opening) = match notice.change {
        Change::Booked => (
            "Your hospital appointment",
            "We have booked this appointment for you.",
        ),
        Change::Moved => (
            "Your hospital appointment has changed",
            "Your appointment has changed. It is now:",
        ),
        Change::Cancelled => (
            "Your hospital appointment is cancelled",
            "This appointment will not take place. You do not need to come. We are sorry for the change.",
        ),
    };
    let mut body = opening_blocks(&notice.sender, heading);
    body.push(Block::Paragraph(opening.to_owned()));
    body.push(Block::Facts(vec![
        ("Date", notice.starts_at.format("%A %-d %B %Y").to_string()),
        ("Time", clock_time(&notice.starts_at)),
        ("Clinic", notice.sender.clinic.to_owned()),
        ("Place", notice.location.to_owned()),
    ]));
    if let Some(instructions) = notice.instructions {
        body.push(Block::Paragraph(instructions.to_owned()));
    }
    let reason = if notice.change == Change::Cancelled {
        "have a question"
    } else {
        "have a question, or cannot come"
    };
    body.push(Block::Paragraph(questions(&notice.sender, reason)));
    draw(fonts, &sheet(&notice.sender, heading, body))
}

/// The page in front of a trust's own letter, which carries the address where the trust's own page one does not.
///
/// # Errors
/// [`PdfError::Invalid`] if the file would break the rules of PDF/A-2a or PDF/UA-1.
pub fn cover_sheet(fonts: &Fonts, sender: &Sender<'_>) -> Result<Vec<u8>, PdfError> {
    let heading = "A letter from your hospital";
    let mut body = opening_blocks(sender, heading);
    body.push(Block::Paragraph(
        "The letter behind this page was sent to you online. We post every letter that has not been opened there, \
         so that you do not miss it."
            .to_owned(),
    ));
    body.push(Block::Paragraph(questions(sender, "have a question")));
    draw(fonts, &sheet(sender, heading, body))
}

fn opening_blocks(sender: &Sender<'_>, heading: &str) -> Vec<Block> {
    vec![
        Block::Paragraph(format!("Dear {}", sender.name)),
        Block::Heading(heading.to_owned()),
    ]
}

fn questions(sender: &Sender<'_>, reason: &str) -> String {
    let hours = sender
        .hours
        .map(|hours| format!(" ({hours})"))
        .unwrap_or_default();
    format!(
        "If you {reason}, call {} on {}{hours}.",
        sender.clinic, sender.phone
    )
}

fn sheet(sender: &Sender<'_>, title: &str, body: Vec<Block>) -> Sheet {
    let mut address_lines = vec![sender.name.to_owned()];
    address_lines.extend(sender.address_lines.iter().cloned());
    Sheet {
        title: title.to_owned(),
        sender: sender.trust.to_owned(),
        sender_lines: vec![
            sender.clinic.to_owned(),
            format!("Telephone {}", sender.phone),
        ],
        address_lines,
        date: sender.date,
        size: if sender.large_print {
            TextSize::Large
        } else {
            TextSize::Standard
        },
        body,
    }
}

/// `9am`, `9:30am`, `midday`: the way patients are told the time.
fn clock_time(at: &DateTime<Tz>) -> String {
    match at.format("%H:%M").to_string().as_str() {
        "12:00" => "midday".to_owned(),
        time if time.ends_with(":00") => at.format("%-I%P").to_string(),
        _ => at.format("%-I:%M%P").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use chrono_tz::Europe::London;

    use super::*;

    fn notice<'a>(address: &'a [String], change: Change) -> AppointmentNotice<'a> {
        AppointmentNotice {
            sender: Sender {
                trust: "Wye Valley NHS Trust",
                clinic: "Eye clinic",
                phone: "07700 900456",
                hours: Some("Monday to Friday, 8am to 6pm"),
                name: "Gwyn Pritchard",
                address_lines: address,
                date: NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date"),
                large_print: change == Change::Moved,
            },
            change,
            starts_at: London
                .with_ymd_and_hms(2026, 11, 24, 9, 0, 0)
                .single()
                .expect("an instant"),
            location: "Outpatients 2, The County Hospital",
            instructions: Some("Please do not drive yourself home."),
        }
    }

    #[test]
    fn every_kind_of_notice_and_the_cover_fit_one_valid_page() {
        let fonts = Fonts::load().expect("the web assets are built: run `make tools` first");
        let address: Vec<String> = ["3 Wye Terrace", "Hereford", "HR2 7QJ"]
            .map(str::to_owned)
            .to_vec();
        let mut files = vec![
            cover_sheet(&fonts, &notice(&address, Change::Booked).sender).expect("a valid cover"),
        ];
        for change in [Change::Booked, Change::Moved, Change::Cancelled] {
            files.push(
                appointment_notice(&fonts, &notice(&address, change)).expect("a valid notice"),
            );
        }
        for bytes in files {
            let pdf = hayro_syntax::Pdf::new(std::sync::Arc::new(bytes)).expect("a readable file");
            assert_eq!(pdf.pages().len(), 1);
        }
    }

    #[test]
    fn times_are_told_as_people_say_them() {
        let at = |hour, minute| {
            clock_time(
                &London
                    .with_ymd_and_hms(2026, 11, 24, hour, minute, 0)
                    .single()
                    .expect("an instant"),
            )
        };
        assert_eq!(
            [at(9, 0), at(9, 30), at(12, 0), at(15, 5)],
            ["9am", "9:30am", "midday", "3:05pm"]
        );
    }
}
