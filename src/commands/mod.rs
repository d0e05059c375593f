//! One file per thing that can happen: check, decide, write, commit. Handlers, sockets and chores call these;
//! nobody else changes a letter or an appointment. No command talks to a provider or to an actor.

mod addressees;
pub mod answer_invitation;
mod appointment_changes;
pub mod arrive;
mod births;
pub mod cancel_clinic;
pub mod change_appointment;
pub mod choose_contact;
pub mod close_account;
pub mod close_task;
pub mod forms;
pub mod hide_item;
pub mod intake_lane;
pub mod invite;
pub mod join;
pub mod letter_answer;
pub mod letter_timeline;
pub mod look;
pub mod not_mine;
pub mod open_appointment;
pub mod open_letter;
pub mod paper;
pub mod publish_letters;
pub mod put_appointment;
pub mod put_document;
pub mod put_patient;
pub mod quarantined;
pub mod record_receipt;
mod refusal;
pub mod release_letters;
pub mod revoke;
pub mod roll_out;
pub mod seed;
pub mod share;
pub mod withdraw_letter;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use letterbox_domain::dispatch::Channel;
use letterbox_domain::event::Event;
use letterbox_domain::id::TrustId;
use letterbox_domain::time::Calendars;
use uuid::Uuid;

use crate::store::{Principal, Retryable, StoreError};

pub use refusal::{Code, Fault, Refusal};

/// The calendars that ship with this version.
static CALENDARS: LazyLock<Calendars> = LazyLock::new(Calendars::built_in);

/// The calendars that every command reckons with.
#[must_use]
pub fn calendars() -> &'static Calendars {
    &CALENDARS
}

/// A trust's system, known by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustSystem {
    /// Which trust.
    pub trust: TrustId,
    /// Which of its keys.
    pub key: Uuid,
}

impl TrustSystem {
    /// As a transaction's principal.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal::TrustSystem {
            trust: self.trust,
            key: self.key,
        }
    }
}

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The input is refused: it will be refused again until it, or what it refers to, changes.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not; the same call may succeed later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retryable for CommandError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_contention())
    }
}

/// What must be woken after a commit. Sweeps find it anyway; waking makes it soon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// Events for browsers, in order of patient and number.
    pub events: Vec<Event>,
    /// Trusts whose cases, and so whose boards, have changed: a next step may be nearer than a supervisor thinks.
    pub cases: BTreeSet<TrustId>,
    /// Channels with something to send.
    pub channels: BTreeSet<Channel>,
}

/// Whoever rings the bells after a commit: the node. Never blocks.
pub trait Bells: Send + Sync + 'static {
    /// Something was committed.
    fn ring(&self, wake: Wake);
}

#[cfg(test)]
mod ladder_tests;
#[cfg(test)]
mod tests;
