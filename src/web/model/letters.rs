//! Letters in a list, and one letter by itself.

use serde::Serialize;

use super::Fact;

/// A mailbox's letters, newest first.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DocumentsBody {
    pub(crate) heading: String,
    pub(crate) letters: Vec<LetterRow>,
    pub(crate) empty: bool,
    pub(crate) empty_words: String,
    /// Leads to older letters where one page does not hold all.
    pub(crate) more_url: Option<String>,
}

/// One letter in a list.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LetterRow {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) url: String,
    pub(crate) trust: String,
    pub(crate) clinic: String,
    pub(crate) sent: String,
    pub(crate) tag: &'static str,
    /// Colour of the tag, by the design system's name.
    pub(crate) tone: &'static str,
    /// The dated promise, word for word as everywhere.
    pub(crate) promise: String,
    /// What to know before opening a clinic letter.
    pub(crate) caution: Option<String>,
    /// Why there is nothing to press.
    pub(crate) hint: Option<String>,
    /// Where View posts to; only while this reader may open the letter.
    pub(crate) view_url: Option<String>,
    /// Single use, for `view_url`.
    pub(crate) nonce: Option<String>,
    /// The file of a letter that has been opened.
    pub(crate) file_url: Option<String>,
}

/// One letter.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LetterBody {
    pub(crate) title: String,
    pub(crate) back_url: String,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) promise: String,
    pub(crate) caution: Option<String>,
    pub(crate) facts: Vec<Fact>,
    /// Paragraphs of the accessible text, once the letter has been opened.
    pub(crate) full_text: Vec<String>,
    pub(crate) view_url: Option<String>,
    pub(crate) nonce: Option<String>,
    /// Where "Read it on this page instead" posts to, if the hospital sent the text along.
    pub(crate) text_url: Option<String>,
    pub(crate) text_nonce: Option<String>,
    pub(crate) file_url: Option<String>,
    pub(crate) hint: Option<String>,
    pub(crate) pages: i32,
    pub(crate) size: String,
    pub(crate) clinic: String,
    pub(crate) contact: String,
}
