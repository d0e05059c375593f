//! A letter and what it may become. What happens to the *obligation* to deliver it is in [`crate::case`].
//!
//! A letter is opened, withdrawn or superseded; that it was also posted is a fact of its case, because a
//! posted letter stays in the portal and can still be opened there.

use crate::circle::ShareKind;

/// What a letter is about; decides its deadline and the tick box that shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LetterKind {
    /// Tells the patient of an appointment.
    Appointment,
    /// Tells the patient what was found or decided in the clinic; may contain results.
    Clinic,
}

impl LetterKind {
    /// Both kinds, in the order in which settings list them.
    pub const ALL: [Self; 2] = [Self::Appointment, Self::Clinic];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Appointment => "appointment",
            Self::Clinic => "clinic",
        }
    }

    /// The kind that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The tick box under which a carer may see such a letter.
    #[must_use]
    pub const fn share(self) -> ShareKind {
        match self {
            Self::Appointment => ShareKind::AppointmentLetters,
            Self::Clinic => ShareKind::ClinicLetters,
        }
    }
}

/// Where a letter stands. There is no way back: see [`LetterState::may_become`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LetterState {
    /// Accepted, but hidden until its release: the clinician speaks to the patient first.
    Held,
    /// In the mailbox, not opened.
    Published,
    /// Its full content has been handed to the patient, or to a carer who may read for them.
    Opened,
    /// Taken back by the trust; only a stub with the reason is left.
    Withdrawn,
    /// Replaced by a newer letter, which has a deadline of its own.
    Superseded,
}

impl LetterState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Held,
        Self::Published,
        Self::Opened,
        Self::Withdrawn,
        Self::Superseded,
    ];

    /// The name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Published => "published",
            Self::Opened => "opened",
            Self::Withdrawn => "withdrawn",
            Self::Superseded => "superseded",
        }
    }

    /// The state that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a letter in this state may move to `next`. Staying is not a move.
    ///
    /// An opened letter can still be withdrawn or superseded (its case has ended as opened and stays so);
    /// a withdrawn or superseded one is final.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (
                Self::Held,
                Self::Published | Self::Withdrawn | Self::Superseded
            ) | (
                Self::Published,
                Self::Opened | Self::Withdrawn | Self::Superseded
            ) | (Self::Opened, Self::Withdrawn | Self::Superseded)
        )
    }

    /// Whether the patient's list shows the letter (a withdrawn one as a stub).
    #[must_use]
    pub const fn is_in_the_mailbox(self) -> bool {
        !matches!(self, Self::Held)
    }

    /// Whether the letter's content may still be handed out.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Published | Self::Opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for kind in LetterKind::ALL {
            assert_eq!(LetterKind::from_name(kind.name()), Some(kind));
        }
        for state in LetterState::ALL {
            assert_eq!(LetterState::from_name(state.name()), Some(state));
        }
        assert_eq!(
            LetterState::from_name("posted"),
            None,
            "posted is the end of a case, not a state of a letter"
        );
    }

    #[test]
    fn a_letter_never_goes_back() {
        for from in LetterState::ALL {
            for to in LetterState::ALL {
                assert!(
                    !from.may_become(to) || from < to,
                    "{from:?} may become {to:?}"
                );
            }
        }
    }

    #[test]
    fn withdrawn_and_superseded_are_final() {
        for to in LetterState::ALL {
            assert!(!LetterState::Withdrawn.may_become(to));
            assert!(!LetterState::Superseded.may_become(to));
        }
    }

    #[test]
    fn a_held_letter_cannot_be_opened_and_is_not_shown() {
        assert!(!LetterState::Held.may_become(LetterState::Opened));
        assert!(!LetterState::Held.is_in_the_mailbox());
        assert!(!LetterState::Held.is_readable());
    }

    #[test]
    fn only_a_published_letter_can_be_opened() {
        let openable: Vec<_> = LetterState::ALL
            .into_iter()
            .filter(|s| s.may_become(LetterState::Opened))
            .collect();
        assert_eq!(openable, [LetterState::Published]);
    }
}
