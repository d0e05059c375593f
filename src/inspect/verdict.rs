//! What an inspection found.

use serde::{Deserialize, Serialize};

/// A file that may be shown and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspected {
    /// Number of pages, at least 1.
    pub pages: u32,
}

/// Why a file is refused; [`Refusal::advice`] tells the sender what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    NotAPdf,
    Unreadable,
    Encrypted,
    NoPages,
    TooManyPages,
    Script,
    LaunchAction,
    EmbeddedFile,
    Form,
    Media,
    TooLarge,
    /// The child missed its bounds of time or memory, or died.
    Overwhelming,
}

impl Refusal {
    /// Stable code for the API.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAPdf => "document_not_a_pdf",
            Self::Unreadable | Self::Overwhelming => "document_unreadable",
            Self::Encrypted => "document_encrypted",
            Self::NoPages => "document_empty",
            Self::TooManyPages | Self::TooLarge => "document_too_large",
            Self::Script | Self::LaunchAction | Self::EmbeddedFile | Self::Form | Self::Media => {
                "document_active_content"
            }
        }
    }

    /// What the sender should do, in one sentence.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotAPdf => "The file does not begin as a PDF does; send the letter as PDF.",
            Self::Unreadable => {
                "The file could not be read as a PDF; print it to PDF again and resend it."
            }
            Self::Encrypted => "The file is encrypted; send it without a password.",
            Self::NoPages => "The file has no pages; check the export and resend it.",
            Self::TooManyPages => {
                "The file has more pages than a letter may have; split it or send it another way."
            }
            Self::Script => "The file contains JavaScript; print it to PDF again without scripts.",
            Self::LaunchAction => {
                "The file starts programs or opens other files; remove these actions."
            }
            Self::EmbeddedFile => {
                "The file has other files attached; send each as a letter of its own."
            }
            Self::Form => {
                "The file contains an XFA form or submits data; flatten it before sending."
            }
            Self::Media => "The file contains video, sound or 3D content; remove it.",
            Self::TooLarge => "The file is larger than allowed; reduce its images and resend it.",
            Self::Overwhelming => {
                "Reading the file took too much time or memory; print it to PDF again and resend it."
            }
        }
    }
}
