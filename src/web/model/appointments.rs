//! Appointments in a month, in a list, and one by itself.

use std::collections::BTreeMap;

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
    pub(crate) empty_words: String,
    /// The same person's letters, for a carer; a patient has a menu.
    pub(crate) letters_url: Option<String>,
}

/// A month, and what is listed below it: the chosen day, or what comes next.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CalendarBody {
    pub(crate) heading: String,
    pub(crate) choices: Vec<Choice>,
    /// How many changes wait to be read, and where.
    pub(crate) news: Option<String>,
    pub(crate) news_url: Option<String>,
    pub(crate) month: String,
    pub(crate) previous: String,
    pub(crate) previous_url: String,
    pub(crate) next: String,
    pub(crate) next_url: String,
    /// Back to the month of today, from any other.
    pub(crate) today_url: Option<String>,
    pub(crate) weekdays: Vec<&'static str>,
    pub(crate) weeks: Vec<CalendarWeek>,
    pub(crate) list_heading: String,
    pub(crate) appointments: Vec<AppointmentRow>,
    pub(crate) empty: bool,
    pub(crate) empty_words: &'static str,
    /// What stands under each day, by the keys that the days name: so an open page corrects its dots.
    #[serde(flatten)]
    pub(crate) notes: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CalendarWeek {
    pub(crate) days: Vec<CalendarDay>,
}

/// One day; without an address it is an empty place.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CalendarDay {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) url: Option<String>,
    pub(crate) today: bool,
    pub(crate) past: bool,
    pub(crate) chosen: bool,
    /// "2 appointments"; a dot stands for it.
    pub(crate) words: Option<String>,
    pub(crate) words_key: String,
    pub(crate) has_key: String,
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
    /// The list that it stands in now, for a page that has been overtaken.
    pub(crate) list_url: String,
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) promise: String,
    /// What to know when it will not take place.
    pub(crate) cancelled: Option<String>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) bring: Vec<String>,
    pub(crate) instructions: Vec<String>,
    /// "Hide from my circle of care"; for the patient only.
    pub(crate) hide: Option<HideForm>,
    pub(crate) clinic: String,
    pub(crate) contact: String,
    pub(crate) email: Option<String>,
    /// It has begun: nothing is left to change.
    pub(crate) over: bool,
    /// Too near to ask in writing.
    pub(crate) soon: bool,
    pub(crate) ics_url: Option<String>,
    pub(crate) coming: Option<String>,
    pub(crate) coming_url: Option<String>,
    pub(crate) ask_url: Option<String>,
    pub(crate) request: Option<RequestBody>,
}

/// How the patient's latest request stands.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RequestBody {
    pub(crate) words: String,
    pub(crate) message: Option<String>,
    pub(crate) take_back_url: Option<String>,
}
