//! The pages of the demonstration: sign-in without a password, the stage, the outside world.

use serde::Serialize;

/// Who can be chosen at this address.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SignInBody {
    pub(crate) personas: Vec<PersonaRow>,
    pub(crate) stage_url: String,
}

/// One invented person.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct PersonaRow {
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) part: &'static str,
}

/// The stage.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct StageBody {
    /// `16 sent = 12 opened + 1 posted + 1 told by phone + 2 waiting.`
    pub(crate) tally: String,
    /// `Lost 0. Posted twice 0.`
    pub(crate) verdict: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) problem: Option<String>,
    pub(crate) no_problem: bool,
    /// Something is under way; the buttons wait.
    pub(crate) busy: bool,
    pub(crate) doors: Vec<Door>,
    pub(crate) rules: Vec<Rule>,
}

/// One numbered button.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Step {
    pub(crate) id: u8,
    pub(crate) number: u8,
    pub(crate) title: &'static str,
    pub(crate) watch: &'static str,
    pub(crate) button: &'static str,
    pub(crate) dangerous: bool,
    pub(crate) pressed: bool,
    pub(crate) waits: bool,
    /// Whether pressing does nothing now.
    pub(crate) stopped: bool,
}

/// A link to one of the persons or places of the demonstration.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Door {
    pub(crate) name: String,
    pub(crate) part: String,
    pub(crate) href: String,
}

/// One line of the rule: as it really is, and as the demonstration has it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Rule {
    pub(crate) step: &'static str,
    pub(crate) real: String,
    pub(crate) here: String,
}

/// What has left the building.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct OutsideBody {
    /// `1 letter prints in 9 s`.
    pub(crate) countdown: String,
    pub(crate) texts: Vec<TextRow>,
    pub(crate) no_texts: bool,
    pub(crate) mails: Vec<MailRow>,
    pub(crate) no_mails: bool,
    pub(crate) envelopes: Vec<EnvelopeRow>,
    pub(crate) no_envelopes: bool,
}

/// A text on a phone.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct TextRow {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) at: String,
}

/// An email in a mailbox.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct MailRow {
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) at: String,
}

/// An envelope with the address in its window.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct EnvelopeRow {
    pub(crate) id: String,
    /// Lines of the address.
    pub(crate) window: String,
    pub(crate) postage: String,
    pub(crate) at: String,
}
