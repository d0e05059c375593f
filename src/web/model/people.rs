//! The dashboard, and what an error page says.

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

/// What went wrong, what to do, and the reference under which we find it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) heading: &'static str,
    pub(crate) lines: Vec<String>,
    pub(crate) reference: String,
    /// Whether signing in is what helps.
    pub(crate) sign_in: bool,
}
