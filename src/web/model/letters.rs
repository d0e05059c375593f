//! Letters in a list, and one letter by itself.

use serde::Serialize;

use super::{Fact, HideForm};

/// A mailbox's letters, newest first.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DocumentsBody {
    pub(crate) heading: String,
    pub(crate) letters: Vec<LetterRow>,
    pub(crate) empty: bool,
    pub(crate) empty_words: String,
    /// Leads to older letters where one page does not hold all.
    pub(crate) more_url: Option<String>,
    /// Where the search form leads.
    pub(crate) search_url: String,
    pub(crate) q: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// What a search came to; nothing where all letters are shown.
    pub(crate) found: Option<String>,
    /// The same person's appointments, for a carer; a patient has a menu.
    pub(crate) appointments_url: Option<String>,
    /// "Always post my letters"; the patient's own page only.
    pub(crate) paper_url: Option<String>,
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
    /// That there are other letters about the same appointment.
    pub(crate) thread: Option<String>,
    pub(crate) thread_url: String,
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
    /// Keeps the file on this computer; never offered on a public one.
    pub(crate) download_url: Option<String>,
    /// "Something wrong?"
    pub(crate) wrong_url: Option<String>,
    /// What was said about paper that the patient asked for.
    pub(crate) paper: Option<String>,
    /// "Post me this one too".
    pub(crate) paper_url: Option<String>,
    /// Why the hospital took it back.
    pub(crate) reason: Option<String>,
    /// Until when "not mine" can be taken back, in words, and where.
    pub(crate) undo: Option<String>,
    pub(crate) undo_url: Option<String>,
    /// Letters about the same appointment, newest first, this one among them.
    pub(crate) thread: Vec<ThreadRow>,
    pub(crate) thread_about: Option<String>,
    pub(crate) hint: Option<String>,
    /// "Hide from my circle of care"; for the patient only.
    pub(crate) hide: Option<HideForm>,
    pub(crate) pages: i32,
    pub(crate) size: String,
    pub(crate) clinic: String,
    pub(crate) contact: String,
}

/// One letter of a thread.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ThreadRow {
    pub(crate) title: String,
    pub(crate) sent: String,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) promise: String,
    /// What it replaces or why it is gone.
    pub(crate) note: Option<String>,
    /// None for the letter on whose page it stands.
    pub(crate) url: Option<String>,
}

/// "Something wrong?" and the confirmation of "This letter is not mine".
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct WrongBody {
    pub(crate) title: String,
    pub(crate) back_url: String,
    pub(crate) clinic: String,
    pub(crate) contact: String,
    pub(crate) trust: String,
    /// Leads to the confirmation; the patient's own page only.
    pub(crate) not_mine_url: Option<String>,
}

/// "Always post my letters".
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PaperBody {
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    /// How it stands, in a sentence.
    pub(crate) standing: String,
    pub(crate) always: bool,
    pub(crate) not_always: bool,
}
