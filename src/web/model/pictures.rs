//! A letter as pictures, for public computers.

use serde::Serialize;

/// All pages of one letter.
#[derive(Clone, Default, Serialize)]
pub(crate) struct PicturesBody {
    pub(crate) title: String,
    pub(crate) back_url: String,
    pub(crate) pages: Vec<Picture>,
    /// Paragraphs of the text that the hospital sent along; else each page has its own lines.
    pub(crate) full_text: Vec<String>,
    /// Neither the hospital nor the file says what is written in the pictures.
    pub(crate) no_text: bool,
}

/// One page.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Picture {
    pub(crate) number: usize,
    /// The picture itself, as an address of kind `data:`.
    pub(crate) src: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) lines: Vec<String>,
}
