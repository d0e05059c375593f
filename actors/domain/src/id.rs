//! One type per kind of thing, so that a letter's id can never be passed where a patient's is wanted.
//!
//! Ids are opaque and say nothing about a person, so they may stand in logs. They are UUIDs of version 7
//! only because neighbouring rows then lie near each other in an index: no rule reads the time inside them.

use std::fmt;

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id that no other node will make.
            #[must_use]
            pub fn random() -> Self {
                Self(Uuid::now_v7())
            }

            /// The bare value, for the boundaries (database, wire).
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )+};
}

ids! {
    /// A hospital trust.
    TrustId
    /// Someone who can sign in: a patient, a carer or a member of staff.
    AccountId
    /// A patient, and at the same time the patient's mailbox ("box" on the wire).
    PatientId
    /// One letter. A replacement is another letter with an id of its own.
    LetterId
    /// One appointment; moving or cancelling it keeps the id.
    AppointmentId
    /// The file of a letter.
    DocumentId
    /// The obligation that a letter or a change of appointment reaches its patient. Ends once.
    CaseId
    /// One message to one person by one channel.
    DispatchId
    /// What one patient lets one carer see.
    GrantId
    /// Something a person at the trust must do.
    TaskId
    /// Something a person at the trust is told, without having to act.
    NoticeId
    /// One folder handed to the print house.
    BatchId
    /// One thing that happened in one mailbox.
    EventId
    /// One signed-in browser.
    SessionId
}

/// A patient's event number: 1, 2, 3 … without a gap, taken under the lock of the patient's row.
///
/// [`Seq::START`] (0) is the position before the first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub i64);

impl Seq {
    /// The position of a mailbox in which nothing has happened yet.
    pub const START: Self = Self(0);

    /// The number that the next event must carry.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The bare value, for the boundaries.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often what a patient shares has changed; a cursor or a page made under an older version is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantsVersion(pub i64);

impl GrantsVersion {
    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The bare value, for the boundaries.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for GrantsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_their_uuid_and_read_back() {
        let id = LetterId::random();
        assert_eq!(format!("{id:?}"), id.as_uuid().to_string());
        assert_eq!(id.to_string().parse::<LetterId>(), Ok(id));
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert_eq!(LetterId::from(Uuid::from(id)), id);
    }

    #[test]
    fn the_first_event_is_number_one() {
        assert_eq!(Seq::START.next(), Seq(1));
        assert_eq!(Seq(41).next().get(), 42);
        assert_eq!(GrantsVersion::default().next(), GrantsVersion(1));
    }
}
