//! The circle of care from both sides: the patient's list and forms, invitations, and the people a carer helps.

use std::collections::BTreeMap;

use serde::Serialize;

/// Whom the patient shares with, or has invited.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CircleBody {
    pub(crate) carers: Vec<CarerRow>,
    pub(crate) empty: bool,
    /// Something is under way that raises no event: ask again after so many milliseconds.
    pub(crate) recheck_ms: Option<u32>,
}

/// One carer or one invitation, with what the patient may do about it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CarerRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) relationship: String,
    /// `Sharing`, `Withdrawing…`, `Not shared`, `Waiting for an answer` …
    pub(crate) tag: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) sees: String,
    pub(crate) reads: String,
    /// What became of the email, or what the patient is asked.
    pub(crate) note: Option<String>,
    pub(crate) change_url: Option<String>,
    pub(crate) withdraw_url: Option<String>,
    pub(crate) share_url: Option<String>,
    pub(crate) again_url: Option<String>,
    pub(crate) cancel_url: Option<String>,
}

/// What is wrong with a form: by field for the field itself, and in order for the summary on top.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Problems {
    pub(crate) list: Vec<Problem>,
    pub(crate) by: BTreeMap<&'static str, String>,
}

/// One line of the summary.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    text: String,
    href: String,
}

impl Problems {
    /// Something is wrong with `field`.
    pub(crate) fn add(&mut self, field: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.list.push(Problem {
            text: text.clone(),
            href: format!("#{field}"),
        });
        self.by.insert(field, text);
    }

    pub(crate) fn none(&self) -> bool {
        self.list.is_empty()
    }
}

/// A tick box, as the design system's checkboxes take it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Tick {
    pub(crate) name: String,
    pub(crate) value: &'static str,
    pub(crate) text: String,
    pub(crate) hint: Option<Hint>,
    pub(crate) checked: bool,
}

/// Words below a tick box.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hint {
    pub(crate) text: String,
}

/// The form behind "Add new", with what was filled in.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct InviteBody {
    pub(crate) name: String,
    pub(crate) relationship: String,
    pub(crate) email: String,
    pub(crate) nhs_number: String,
    pub(crate) kinds: Vec<Tick>,
    pub(crate) reading: Vec<Tick>,
    pub(crate) problems: Problems,
}

/// The form that changes what a carer may see.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ChangeBody {
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) kinds: Vec<Tick>,
    pub(crate) reading: Vec<Tick>,
    /// The yearly question, if it is open.
    pub(crate) question: Option<String>,
    pub(crate) problems: Problems,
}

/// What the link of an invitation shows.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct InvitationBody {
    pub(crate) heading: String,
    pub(crate) lines: Vec<String>,
    /// What would be shared; only for whoever may answer.
    pub(crate) shares: Vec<String>,
    pub(crate) accept_url: Option<String>,
    pub(crate) decline_url: Option<String>,
    pub(crate) sign_in_url: Option<String>,
    /// Leads on, with its words.
    pub(crate) onward: Option<(String, String)>,
}

/// Whose mailboxes a carer may look into.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PeopleBody {
    /// They may get letters of their own here; said when the page is asked for.
    pub(crate) may_join: bool,
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
    /// What this person shares.
    pub(crate) shares: String,
    /// The newest thing that may be seen.
    pub(crate) latest: Option<String>,
    pub(crate) leave_url: String,
}

/// Which people a carer wants emails about.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PreferencesBody {
    pub(crate) ticks: Vec<Tick>,
    /// Without a verified address no email can be sent.
    pub(crate) unverified: bool,
    pub(crate) saved: bool,
}

/// Before a carer leaves.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LeaveBody {
    pub(crate) given: String,
    pub(crate) action: String,
}

/// The button that hides an item from the circle of care, or shows it again.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HideForm {
    pub(crate) action: String,
    pub(crate) hidden: bool,
}
