//! The account's pages: rows and boxes, in the reader's words.

use serde::Serialize;

/// One tab at the top of the account's pages.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AccountTab {
    pub(crate) text: &'static str,
    pub(crate) href: &'static str,
    pub(crate) current: bool,
}

/// The overview.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AccountBody {
    pub(crate) tabs: Vec<AccountTab>,
    pub(crate) rows: Vec<AccountRow>,
    /// A carer may get letters of their own here.
    pub(crate) may_join: bool,
}

/// One thing on record; `href` is empty where it is not changed here.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AccountRow {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) href: &'static str,
    /// What the link is about, for whoever hears links without their row.
    pub(crate) change: &'static str,
}

/// Contacts, and the boxes.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ContactBody {
    pub(crate) tabs: Vec<AccountTab>,
    pub(crate) saved: bool,
    pub(crate) has_mailbox: bool,
    pub(crate) ways: Vec<WayRow>,
    pub(crate) post_is_unsafe: bool,
    /// How to be reminded of appointments: not at all, or by a way that works.
    pub(crate) reminders: Vec<FormatChoice>,
    /// Why the chosen way cannot be used at present.
    pub(crate) reminders_warning: Option<&'static str>,
}

/// One way of telling.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct WayRow {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) contact: String,
    pub(crate) works: bool,
    pub(crate) warning: Option<String>,
    pub(crate) used_for: &'static str,
    pub(crate) wanted: bool,
    pub(crate) is_unsafe: bool,
}

/// Where paper goes.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PostBody {
    pub(crate) tabs: Vec<AccountTab>,
    /// `…HR4 •••`.
    pub(crate) hint: Option<String>,
    pub(crate) is_unsafe: bool,
}

/// How paper is printed.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct FormatBody {
    pub(crate) tabs: Vec<AccountTab>,
    pub(crate) saved: bool,
    pub(crate) choices: Vec<FormatChoice>,
    pub(crate) on_file: Option<&'static str>,
}

/// One radio button.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct FormatChoice {
    pub(crate) value: &'static str,
    pub(crate) text: &'static str,
    pub(crate) checked: bool,
}

/// Who looked.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LookedBody {
    pub(crate) tabs: Vec<AccountTab>,
    pub(crate) looks: Vec<LookRow>,
    pub(crate) older: Option<String>,
    pub(crate) is_first: bool,
}

/// One look.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LookRow {
    pub(crate) at: String,
    pub(crate) who: String,
    pub(crate) did: String,
}

/// Before leaving.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DeleteBody {
    pub(crate) tabs: Vec<AccountTab>,
    pub(crate) has_mailbox: bool,
    /// `2 letters`.
    pub(crate) unread: Option<String>,
    pub(crate) post_is_unsafe: bool,
    pub(crate) reasons: Vec<FormatChoice>,
    pub(crate) missing: bool,
}

/// After leaving: nothing personal is left to say.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DeletedBody {}
