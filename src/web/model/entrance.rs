//! The sign-in page, the page that asks whether to join, and the pages that say kindly why not.

use serde::Serialize;

/// The sign-in page.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct LoginBody {
    /// Whether NHS login can be reached from here at all.
    pub(crate) is_connected: bool,
    /// Where to go afterwards.
    pub(crate) next: String,
    /// Whether one may also choose who to be.
    pub(crate) is_demo: bool,
}

/// A page that says why somebody is not let in, and what to do.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SorryBody {
    pub(crate) heading: &'static str,
    pub(crate) lines: &'static [&'static str],
    /// What to do, in order.
    pub(crate) steps: &'static [&'static str],
    pub(crate) link: Option<Link>,
    /// Whether trying again makes sense.
    pub(crate) again: bool,
    /// Whether the help desk has to act.
    pub(crate) help_desk: bool,
}

/// A way on, on another site.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Link {
    pub(crate) text: &'static str,
    pub(crate) href: &'static str,
}

/// Asks whether to join.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct JoinBody {
    pub(crate) csrf: String,
    pub(crate) given: String,
    /// Why no letters can come here; everything about letters is hidden then.
    pub(crate) no_mailbox: Option<NoMailboxText>,
    pub(crate) comes_here: Vec<String>,
    pub(crate) by_post: Vec<String>,
    /// Where we tell of a new letter.
    pub(crate) told_at: String,
    /// Whether an account for helping others can be made instead.
    pub(crate) may_help: bool,
}

/// Why no letters can come here.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct NoMailboxText {
    pub(crate) heading: &'static str,
    pub(crate) lines: &'static [&'static str],
}
