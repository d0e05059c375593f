//! The booking office's board.

use serde::Serialize;

use super::Choice;

/// Everything on the board of one trust.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct BoardBody {
    pub(crate) trust: String,
    /// What the last form did, said once.
    pub(crate) notice: Option<String>,
    pub(crate) waiting: i64,
    pub(crate) opened: i64,
    pub(crate) posted: i64,
    pub(crate) told: i64,
    pub(crate) tasks: Vec<TaskRow>,
    pub(crate) no_tasks: bool,
    pub(crate) clinics: Vec<ClinicRow>,
    pub(crate) no_clinics: bool,
    /// Clinics that can be cancelled, for the select box.
    pub(crate) sessions: Vec<Choice>,
    pub(crate) reasons: Vec<Choice>,
    pub(crate) unread: Vec<ItemRow>,
    pub(crate) no_unread: bool,
    pub(crate) notices: Vec<ItemRow>,
    pub(crate) no_notices: bool,
    pub(crate) settled: Vec<ItemRow>,
    pub(crate) no_settled: bool,
    pub(crate) quarantine: Vec<QuarantineRow>,
    pub(crate) no_quarantine: bool,
    pub(crate) requests: Vec<RequestRow>,
    pub(crate) no_requests: bool,
}

/// A patient's request to cancel or rebook.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RequestRow {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) phone: Option<String>,
    /// The patient's own words.
    pub(crate) note: Option<String>,
    pub(crate) due: String,
    pub(crate) tone: &'static str,
    pub(crate) reference: String,
    pub(crate) url: String,
}

/// Something a person must do.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TaskRow {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) name: String,
    pub(crate) phone: Option<String>,
    pub(crate) due: String,
    pub(crate) tone: &'static str,
    pub(crate) why: String,
    /// What to say on the phone.
    pub(crate) script: Option<String>,
    pub(crate) tries: Option<String>,
    pub(crate) url: String,
    /// Whether the outcomes of a call are offered, or a plain "Done".
    pub(crate) calls: bool,
    pub(crate) resolves: bool,
    /// Whether somebody takes it on by name.
    pub(crate) accepts: bool,
}

/// A cancelled clinic and how far its patients have been told.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ClinicRow {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) facts: String,
    pub(crate) told: String,
    pub(crate) tone: &'static str,
}

/// A letter or a change of appointment, with its promise.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ItemRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) promise: String,
}

/// Input that was refused and that somebody must look at.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct QuarantineRow {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) since: String,
}
