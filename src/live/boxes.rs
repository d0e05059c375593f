//! The boxes of one session: its own mailbox, those of the people it cares for, the boards of its trusts.

use std::fmt;

use letterbox_actors::{Attachment, BoardSeat};
use letterbox_domain::id::{GrantId, GrantsVersion, PatientId, Seq, TrustId};
use uuid::Uuid;

pub use crate::store::{AccountBox, Ods};

/// How many boxes one session may hold: one bit each in the session's marks.
///
/// One's own, two dozen people cared for, a few trusts; an account with more sees the rest by page only.
pub const MAX_BOXES: usize = 32;

/// A box's name on the wire. A carer's is the grant's id: it tells nothing about the patient, and a new grant is
/// a new box.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoxName {
    /// The account's own mailbox.
    Mailbox(PatientId),
    /// Somebody else's, by a grant.
    Shared(GrantId),
    /// A trust's board.
    Board(TrustId, Ods),
}

impl BoxName {
    /// Kind and id, for binding a cursor.
    #[must_use]
    pub const fn parts(&self) -> (u8, Uuid) {
        match self {
            Self::Mailbox(patient) => (1, patient.as_uuid()),
            Self::Shared(grant) => (2, grant.as_uuid()),
            Self::Board(trust, _) => (3, trust.as_uuid()),
        }
    }

    /// `patient`, `carer` or `board`.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        match self {
            Self::Mailbox(_) => "patient",
            Self::Shared(_) => "carer",
            Self::Board(..) => "board",
        }
    }
}

impl fmt::Display for BoxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailbox(patient) => patient.fmt(f),
            Self::Shared(grant) => grant.fmt(f),
            Self::Board(_, ods) => write!(f, "board:{}", ods.as_str()),
        }
    }
}

impl fmt::Debug for BoxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a box stands in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Attached: events follow.
    Live,
    /// Withdrawn: nothing of it is sent any more.
    Gone,
    /// Silenced until this node hears from the store again.
    Silent,
}

/// What ties a box to its actor; dropping it lets go.
pub(super) enum Tie {
    Loose,
    Mailbox(Attachment),
    Board(#[expect(dead_code, reason = "held for its drop")] BoardSeat),
}

/// One box of a session.
pub(super) struct LiveBox {
    pub(super) name: BoxName,
    /// Whose mailbox; the nil id for a board.
    pub(super) patient: PatientId,
    pub(super) position: Seq,
    pub(super) version: GrantsVersion,
    pub(super) standing: Standing,
    pub(super) tie: Tie,
}

impl LiveBox {
    pub(super) fn new(account_box: AccountBox) -> Self {
        let (name, patient, version) = match account_box {
            AccountBox::Own(patient) => (BoxName::Mailbox(patient), patient, GrantsVersion(0)),
            AccountBox::Shared(grant) => (BoxName::Shared(grant.id), grant.patient, grant.version),
            AccountBox::Board(trust, ods) => (
                BoxName::Board(trust, ods),
                Uuid::nil().into(),
                GrantsVersion(0),
            ),
        };
        Self {
            name,
            patient,
            position: Seq::START,
            version,
            standing: Standing::Live,
            tie: Tie::Loose,
        }
    }

    pub(super) const fn is_own(&self) -> bool {
        matches!(self.name, BoxName::Mailbox(_))
    }

    /// Moves the position past what was hidden. `is_clear` is asked after the actor: all that it had pushed until
    /// then must have been sent.
    pub(super) fn move_on(&mut self, is_clear: impl FnOnce() -> bool) {
        let Tie::Mailbox(attachment) = &self.tie else {
            return;
        };
        if let Some((head, _)) = attachment.position()
            && is_clear()
        {
            self.position = self.position.max(head);
        }
    }

    pub(super) const fn is_mailbox(&self) -> bool {
        !matches!(self.name, BoxName::Board(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_documented() {
        let patient = PatientId::random();
        assert_eq!(BoxName::Mailbox(patient).to_string(), patient.to_string());
        let board = BoxName::Board(TrustId::random(), Ods::new("RLQ"));
        assert_eq!(
            (board.to_string().as_str(), board.role()),
            ("board:RLQ", "board")
        );
    }
}
