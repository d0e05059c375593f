//! The roll-out of one trust.

use serde::Serialize;

use super::Choice;

/// The matrix, and the form for those who may change it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RollOutBody {
    pub(crate) trust: String,
    pub(crate) notice: Option<String>,
    pub(crate) lines: Vec<RollOutLine>,
    pub(crate) may_change: bool,
    pub(crate) specialties: Vec<String>,
    pub(crate) kinds: Vec<Choice>,
    pub(crate) papers: Vec<Choice>,
    /// Today, for the date field.
    pub(crate) today: String,
}

/// One specialty and kind of letter.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RollOutLine {
    pub(crate) specialty: String,
    pub(crate) kind: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) since: String,
    pub(crate) paper: &'static str,
    pub(crate) changed: Option<String>,
}
