//! A letter as the demonstration hospital writes it: a real file of several paragraphs that enters by the public API.

use chrono::NaiveDate;

use super::draw::draw;
use super::layout::{Block, Sheet, TextSize};
use super::{Fonts, PdfError};

/// What the demonstration hospital has to say to one patient.
#[derive(Clone)]
pub struct HospitalLetter<'a> {
    /// Name of the trust.
    pub trust: &'a str,
    /// Department and its address, telephone and hours; right of the address window.
    pub sender_lines: &'a [String],
    /// Name first, postcode last; at most seven lines.
    pub address_lines: &'a [String],
    /// Date of the letter; also the file's date of making.
    pub date: NaiveDate,
    /// How the patient is addressed: `Dear Margaret Jones`.
    pub salutation: &'a str,
    /// Subject, the heading of the letter.
    pub subject: &'a str,
    /// Label and value of the appointment's facts; may be empty.
    pub facts: &'a [(&'static str, String)],
    /// The letter itself.
    pub paragraphs: &'a [String],
    /// What to bring or to do; may be empty.
    pub bullets: &'a [String],
    /// Who signs, and in which role.
    pub signature: &'a [String],
}

impl std::fmt::Debug for HospitalLetter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HospitalLetter").finish_non_exhaustive()
    }
}

/// Sets the letter as a tagged PDF.
///
/// # Errors
/// [`PdfError::Invalid`] if the file would break the rules of PDF/A-2a or PDF/UA-1.
pub fn hospital_letter(fonts: &Fonts, letter: &HospitalLetter<'_>) -> Result<Vec<u8>, PdfError> {
    let mut body = vec![
        Block::Paragraph(letter.salutation.to_owned()),
        Block::Heading(letter.subject.to_owned()),
    ];
    let (first, rest) = letter.paragraphs.split_at(letter.paragraphs.len().min(1));
    body.extend(first.iter().cloned().map(Block::Paragraph));
    if !letter.facts.is_empty() {
        body.push(Block::Facts(letter.facts.to_vec()));
    }
    body.extend(rest.iter().cloned().map(Block::Paragraph));
    if !letter.bullets.is_empty() {
        body.push(Block::Subheading("What to bring".to_owned()));
        body.push(Block::Bullets(letter.bullets.to_vec()));
    }
    body.push(Block::Paragraph("Yours sincerely,".to_owned()));
    body.extend(letter.signature.iter().cloned().map(Block::Paragraph));
    draw(
        fonts,
        &Sheet {
            title: letter.subject.to_owned(),
            sender: letter.trust.to_owned(),
            sender_lines: letter.sender_lines.to_vec(),
            address_lines: letter.address_lines.to_vec(),
            date: letter.date,
            size: TextSize::Standard,
            body,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(fonts: &Fonts) -> Vec<u8> {
        let long = "We would like to see you in our clinic to talk about your recent tests and to agree the next steps with \
                    you. You are welcome to bring somebody with you. Please allow up to an hour for your visit.";
        let lines = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let letter = HospitalLetter {
            trust: "Wye Valley NHS Trust",
            sender_lines: &lines(&[
                "Cardiology outpatients",
                "The County Hospital",
                "Hereford HR1 2ER",
                "Telephone 07700 900123",
            ]),
            address_lines: &lines(&[
                "Mrs Margaret Jones",
                "12 Castle Street",
                "Hereford",
                "HR1 2NW",
            ]),
            date: NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date"),
            salutation: "Dear Mrs Jones",
            subject: "Your cardiology appointment",
            facts: &[
                ("Date", "Tuesday 8 December 2026".to_owned()),
                ("Time", "10:20am".to_owned()),
            ],
            paragraphs: &vec![long.to_owned(); 9],
            bullets: &lines(&["A list of your medicines", "Your glasses, if you wear them"]),
            signature: &lines(&["Dr Anwen Pryce", "Consultant cardiologist"]),
        };
        hospital_letter(fonts, &letter).expect("a valid letter")
    }

    #[test]
    fn the_same_letter_has_the_same_bytes() {
        let fonts = Fonts::load().expect("the web assets are built: run `make tools` first");
        assert_eq!(sample(&fonts), sample(&fonts));
    }

    #[test]
    fn a_long_letter_goes_on_to_a_second_page() {
        let fonts = Fonts::load().expect("the web assets are built: run `make tools` first");
        let bytes = sample(&fonts);
        let pdf = hayro_syntax::Pdf::new(std::sync::Arc::new(bytes)).expect("a readable file");
        assert_eq!(pdf.pages().len(), 2);
    }
}
