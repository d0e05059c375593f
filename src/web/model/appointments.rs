//! Appointments in a list, and one by itself.

use serde::Serialize;

use super::{Choice, Fact, HideForm};

/// One of the three lists.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AppointmentsBody {
    pub(crate) heading: String,
    pub(crate) list_heading: &'static str,
    pub(crate) choices: Vec<Choice>,
    pub(crate) appointments: Vec<AppointmentRow>,
    pub(crate) empty: bool,
    pub(crate) empty_words: &'static str,
}

/// One appointment in a list.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AppointmentRow {
    pub(crate) id: String,
    pub(crate) when: String,
    pub(crate) clinic: String,
    pub(crate) trust: String,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) promise: String,
    /// Where "See details" posts to while the latest change is unread.
    pub(crate) open_url: Option<String>,
    /// The details, once read.
    pub(crate) details_url: Option<String>,
}

/// One appointment.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AppointmentBody {
    pub(crate) title: String,
    pub(crate) back_url: String,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) promise: String,
    /// What to know when it will not take place.
    pub(crate) cancelled: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) instructions: Vec<String>,
    /// "Hide from my circle of care"; for the patient only.
    pub(crate) hide: Option<HideForm>,
    pub(crate) clinic: String,
    pub(crate) contact: String,
}
