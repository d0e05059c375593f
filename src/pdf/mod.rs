//! Makes the PDF files that are ours to make: the demonstration hospital's letters, and the plain notices that
//! travel on paper when an appointment changes or a letter needs a cover.
//!
//! Same input, same bytes: no clock, no system font, no random identifier. Never reads or changes a trust's own PDF.

mod draw;
mod fonts;
mod layout;
mod letter;
mod notice;

pub use fonts::Fonts;
pub use letter::{HospitalLetter, hospital_letter};
pub use notice::{AppointmentNotice, Change, Sender, appointment_notice, cover_sheet};

/// Why no PDF came out. Both are faults of the build or of this module, never of a patient's data.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The fonts are fetched with the web assets and embedded in release builds.
    #[error("the font {name} is not there: build the web assets (make tools)")]
    Font {
        /// File name below `web/dist/fonts`.
        name: &'static str,
    },
    /// The file would not have been valid PDF/A-2a and PDF/UA-1.
    #[error("the document breaks the PDF/A or PDF/UA rules: {0}")]
    Invalid(String),
}
