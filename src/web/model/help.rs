//! Help: lists of links, and texts in parts.

use serde::Serialize;

use crate::web::help::Part;

/// The first page of help.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HelpBody {
    pub(crate) pages: Vec<HelpLink>,
}

/// A question or a help page, to go to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HelpLink {
    pub(crate) href: String,
    pub(crate) text: String,
    pub(crate) about: Option<String>,
}

/// The frequently asked questions, and what a search found among them.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct QuestionsBody {
    /// What was typed.
    pub(crate) q: String,
    /// `3 answers found`; nothing where nobody has searched.
    pub(crate) outcome: Option<String>,
    pub(crate) found: Vec<HelpLink>,
    pub(crate) groups: Vec<HelpGroup>,
}

/// Questions about the same thing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HelpGroup {
    pub(crate) heading: &'static str,
    pub(crate) links: Vec<HelpLink>,
}

/// One question and its answer.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct AnswerBody {
    pub(crate) title: String,
    pub(crate) parts: Vec<Part>,
    pub(crate) next: Option<HelpLink>,
}

/// A help page of its own.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct HelpPageBody {
    pub(crate) title: String,
    pub(crate) parts: Vec<Part>,
}

/// Which letters come here today and which by post.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct WhatComesBody {
    pub(crate) comes_here: Vec<String>,
    pub(crate) by_post: Vec<String>,
}
