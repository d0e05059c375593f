//! View models: what a page says, in the reader's words. The same value fills the template and, as JSON, the open page.
//!
//! Texts, addresses and switches only; no rule lives here. `Option` fields hide their element when empty.

mod account;
mod appointments;
mod board;
mod circle;
mod demo;
mod devices;
mod entrance;
mod help;
mod letters;
mod people;
mod pictures;
mod roll_out;

pub(crate) use account::{
    AccountBody, AccountRow, AccountTab, ContactBody, DeleteBody, DeletedBody, FormatBody,
    FormatChoice, LookRow, LookedBody, PostBody, WayRow,
};
pub(crate) use appointments::{
    AppointmentBody, AppointmentRow, AppointmentsBody, CalendarBody, CalendarDay, CalendarWeek,
    RequestBody,
};
pub(crate) use board::{BoardBody, ClinicRow, ItemRow, QuarantineRow, RequestRow, TaskRow};
pub(crate) use circle::{
    CarerRow, ChangeBody, CircleBody, HideForm, Hint, InvitationBody, InviteBody, LeaveBody,
    PeopleBody, PersonRow, PreferencesBody, Problems, Tick,
};
pub(crate) use demo::{
    Door, EnvelopeRow, MailRow, OutsideBody, PersonaRow, Rule, SignInBody, StageBody, Step, TextRow,
};
pub(crate) use devices::{ConfirmBody, DeviceRow, DevicesBody, SignedOutBody};
pub(crate) use entrance::{JoinBody, Link, LoginBody, NoMailboxText, SorryBody};
pub(crate) use help::{
    AnswerBody, HelpBody, HelpGroup, HelpLink, HelpPageBody, QuestionsBody, WhatComesBody,
};
pub(crate) use letters::{DocumentsBody, LetterBody, LetterRow, PaperBody, ThreadRow, WrongBody};
pub(crate) use people::{Card, DashboardBody, ErrorBody};
pub(crate) use pictures::{Picture, PicturesBody};
pub(crate) use roll_out::{RollOutBody, RollOutLine};

use serde::Serialize;

/// A row of the design system's summary list.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fact {
    key: Text,
    value: Text,
}

/// The design system's way of saying "plain text, escape it".
#[derive(Clone, Debug, Serialize)]
struct Text {
    text: String,
}

impl Fact {
    pub(crate) fn new(key: &str, value: impl Into<String>) -> Self {
        Self {
            key: Text {
                text: key.to_owned(),
            },
            value: Text { text: value.into() },
        }
    }
}

/// One choice of a select box or of a row of links.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) value: String,
    pub(crate) href: String,
    pub(crate) current: bool,
}
