//! What has happened in a mailbox, in the past tense. Events number the changes that browsers are told of;
//! they carry ids and dates and never a word of a letter.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::circle::{ShareKind, Viewer};
use crate::id::{AppointmentId, EventId, LetterId, PatientId, Seq};

/// The thing an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemRef {
    /// A letter.
    Letter(LetterId),
    /// An appointment.
    Appointment(AppointmentId),
}

impl ItemRef {
    /// The bare id, for storage and the wire.
    #[must_use]
    pub const fn as_uuid(&self) -> Uuid {
        match self {
            Self::Letter(id) => id.as_uuid(),
            Self::Appointment(id) => id.as_uuid(),
        }
    }

    /// `letter` or `appointment`.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Letter(_) => "letter",
            Self::Appointment(_) => "appointment",
        }
    }

    /// The item of that kind; `None` for a kind that does not exist.
    #[must_use]
    pub fn from_parts(kind_name: &str, id: Uuid) -> Option<Self> {
        match kind_name {
            "letter" => Some(Self::Letter(id.into())),
            "appointment" => Some(Self::Appointment(id.into())),
            _ => None,
        }
    }
}

/// What happened. The number is stored and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum EventKind {
    /// A letter came in.
    LetterPublished = 1,
    /// Its whole content was handed to the patient, or to a carer who may read for them.
    LetterOpened = 2,
    /// The trust took it back.
    LetterWithdrawn = 3,
    /// A newer letter replaced it.
    LetterSuperseded = 4,
    /// The print house acknowledged it.
    LetterPosted = 5,
    /// An appointment was made.
    AppointmentPublished = 6,
    /// Its time or place changed.
    AppointmentMoved = 7,
    /// It was cancelled.
    AppointmentCancelled = 8,
    /// Its details, as they now stand, were opened.
    AppointmentOpened = 9,
    /// What we promise about an item changed: another date, being posted, a phone call.
    PromiseChanged = 10,
    /// The patient hid it from the circle of care.
    ItemHidden = 11,
    /// The patient let the circle of care see it again.
    ItemShown = 12,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::LetterPublished,
        Self::LetterOpened,
        Self::LetterWithdrawn,
        Self::LetterSuperseded,
        Self::LetterPosted,
        Self::AppointmentPublished,
        Self::AppointmentMoved,
        Self::AppointmentCancelled,
        Self::AppointmentOpened,
        Self::PromiseChanged,
        Self::ItemHidden,
        Self::ItemShown,
    ];

    /// The stable dotted name, in the database and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LetterPublished => "letter.published",
            Self::LetterOpened => "letter.opened",
            Self::LetterWithdrawn => "letter.withdrawn",
            Self::LetterSuperseded => "letter.superseded",
            Self::LetterPosted => "letter.posted",
            Self::AppointmentPublished => "appointment.published",
            Self::AppointmentMoved => "appointment.moved",
            Self::AppointmentCancelled => "appointment.cancelled",
            Self::AppointmentOpened => "appointment.opened",
            Self::PromiseChanged => "promise.changed",
            Self::ItemHidden => "item.hidden",
            Self::ItemShown => "item.shown",
        }
    }

    /// The kind that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One row of a mailbox's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same wherever the event turns up, so that a second copy is recognised.
    pub id: EventId,
    /// Whose mailbox.
    pub patient: PatientId,
    /// Its number there.
    pub seq: Seq,
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub item: ItemRef,
    /// The tick box that covers the item.
    pub share: ShareKind,
    /// Of a sensitive specialty: never for carers.
    pub restricted: bool,
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// When we will post the item unless it is opened; `None` when no such date stands.
    pub due: Option<DateTime<Utc>>,
}

impl Event {
    /// Whether the viewer may be told, given whether the patient has hidden the item *by now*.
    ///
    /// A viewer who may not is not told that there was anything: their position simply moves on. A live page
    /// that still shows an item must be told to drop it: see [`crate::mailbox::Mailbox::tells`].
    #[must_use]
    pub const fn reaches(&self, viewer: &Viewer, hidden: bool) -> bool {
        viewer.sees(self.share, self.restricted, hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::from_name("letter.new"), None);
    }

    #[test]
    fn an_item_reads_back_from_its_parts() {
        let letter = ItemRef::Letter(LetterId::random());
        let visit = ItemRef::Appointment(AppointmentId::random());
        for item in [letter, visit] {
            assert_eq!(
                ItemRef::from_parts(item.kind_name(), item.as_uuid()),
                Some(item)
            );
        }
        assert_eq!(ItemRef::from_parts("tracker", letter.as_uuid()), None);
    }
}
