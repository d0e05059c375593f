//! Signed-in devices, confirming who one is, and what is left after signing out.

use serde::Serialize;

use super::{AccountTab, PersonaRow};

/// The browsers that the reader is signed in on.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DevicesBody {
    pub(crate) tabs: Vec<AccountTab>,
    pub(crate) devices: Vec<DeviceRow>,
    /// There is more than the one in front of the reader.
    pub(crate) others: bool,
    /// Said once after a form.
    pub(crate) notice: Option<String>,
}

/// One browser.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DeviceRow {
    /// `Chrome on Windows`.
    pub(crate) browser: String,
    pub(crate) this_one: bool,
    pub(crate) public_computer: bool,
    pub(crate) signed_in: String,
    pub(crate) last_used: String,
    /// Where "Sign out" posts to; the one in front of the reader signs out as everywhere.
    pub(crate) end_url: Option<String>,
}

/// Confirming who one is, before a sensitive change.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ConfirmBody {
    /// Where the reader goes on afterwards.
    pub(crate) next: String,
    /// Whether NHS login can be asked.
    pub(crate) by_nhs_login: bool,
    /// In a demonstration: who could be meant.
    pub(crate) personas: Vec<PersonaRow>,
    /// Said after a wrong choice.
    pub(crate) problem: Option<&'static str>,
}

/// Nobody is signed in any more.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SignedOutBody {
    /// The session ended by itself.
    pub(crate) ended: bool,
    pub(crate) public_computer: bool,
    /// Where signing in again leads.
    pub(crate) next: String,
}
