//! The dashboard, the circle of care from both sides, and what an error page says.

use serde::Serialize;

/// The first page after signing in.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DashboardBody {
    pub(crate) greeting: String,
    pub(crate) cards: Vec<Card>,
    pub(crate) note: Option<String>,
}

/// One card of the dashboard.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Card {
    pub(crate) id: &'static str,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) href: &'static str,
}

/// Whom the patient shares with.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CircleBody {
    pub(crate) carers: Vec<CarerRow>,
    pub(crate) empty: bool,
}

/// One carer, with the switch.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CarerRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) relationship: String,
    /// `Sharing`, `Withdrawing…`, `Not shared`.
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) sees: String,
    pub(crate) reads: String,
    pub(crate) withdraw_url: Option<String>,
    pub(crate) share_url: Option<String>,
}

/// Whose mailboxes a carer may look into.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PeopleBody {
    pub(crate) people: Vec<PersonRow>,
    pub(crate) empty: bool,
}

/// One of them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PersonRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) news: String,
}

/// What went wrong, what to do, and the reference under which we find it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) heading: &'static str,
    pub(crate) lines: Vec<String>,
    pub(crate) reference: String,
}
