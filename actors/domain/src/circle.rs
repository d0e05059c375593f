//! The circle of care: what a patient lets each carer see, and who may look at or open an item.
//!
//! A tick box covers one kind of information. Nothing is ticked by default, a kind that is invented later
//! is off for everybody, and items of sensitive specialties or hidden by the patient are in no tick box.

use std::fmt;

use crate::id::{AccountId, GrantId, GrantsVersion, PatientId};

/// A kind of information with a tick box of its own. The number is the bit in [`Ticks`] and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ShareKind {
    /// Dates, times and places.
    Appointments = 1,
    /// Letters about appointments.
    AppointmentLetters = 2,
    /// Letters from the clinic, which may contain results.
    ClinicLetters = 4,
    /// Answers given before an appointment.
    Questionnaires = 8,
    /// Measurements that the patient keeps.
    Trackers = 16,
}

impl ShareKind {
    /// All kinds, in the order of the tick boxes.
    pub const ALL: [Self; 5] = [
        Self::Appointments,
        Self::AppointmentLetters,
        Self::ClinicLetters,
        Self::Questionnaires,
        Self::Trackers,
    ];

    /// The bit of this kind.
    #[must_use]
    pub const fn bit(self) -> u8 {
        self as u8
    }

    /// The kind with this bit.
    #[must_use]
    pub fn from_bit(bit: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.bit() == bit)
    }

    /// The name in the API, the forms and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Appointments => "appointments",
            Self::AppointmentLetters => "appointment_letters",
            Self::ClinicLetters => "clinic_letters",
            Self::Questionnaires => "questionnaires",
            Self::Trackers => "trackers",
        }
    }

    /// The kind that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The tick boxes that a patient has ticked for one carer. The default is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ticks(u8);

/// A tick box that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no tick box called {name:?}; use appointments, appointment_letters, clinic_letters, questionnaires or trackers"
)]
pub struct UnknownTick {
    /// What was asked for.
    pub name: String,
}

impl Ticks {
    /// Nothing shared.
    pub const NONE: Self = Self(0);

    /// Exactly these kinds.
    #[must_use]
    pub fn of(kinds: &[ShareKind]) -> Self {
        kinds
            .iter()
            .fold(Self::NONE, |ticks, kind| ticks.with(*kind))
    }

    /// The same with one more box ticked.
    #[must_use]
    pub const fn with(self, kind: ShareKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// The same with one box cleared.
    #[must_use]
    pub const fn without(self, kind: ShareKind) -> Self {
        Self(self.0 & !kind.bit())
    }

    /// Whether this box is ticked.
    #[must_use]
    pub const fn has(self, kind: ShareKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether nothing is shared.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The ticked kinds in the order of the boxes.
    pub fn iter(self) -> impl Iterator<Item = ShareKind> {
        ShareKind::ALL
            .into_iter()
            .filter(move |kind| self.has(*kind))
    }

    /// The bits, for storage.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From stored bits. A bit that no kind owns is dropped: what this version does not know, it does not share.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1_1111)
    }

    /// From the names of a form or an API call.
    ///
    /// # Errors
    /// [`UnknownTick`] for the first name that no box carries; nothing is guessed.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownTick> {
        names.into_iter().try_fold(Self::NONE, |ticks, name| {
            ShareKind::from_name(name)
                .map(|kind| ticks.with(kind))
                .ok_or_else(|| UnknownTick {
                    name: name.to_owned(),
                })
        })
    }

    /// The names of the ticked boxes, in their order.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(ShareKind::name).collect()
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What one patient lets one carer see, as it stood at `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The grant.
    pub id: GrantId,
    /// Whose mailbox it opens.
    pub patient: PatientId,
    /// Who may look.
    pub carer: AccountId,
    /// The ticked boxes.
    pub ticks: Ticks,
    /// "May read for me": this carer's opening counts as the patient's own and stops the deadline.
    pub may_read_for_me: bool,
    /// Rises with every change of this patient's circle.
    pub version: GrantsVersion,
}

/// Who is looking into a mailbox. Whoever is neither the patient nor holds a grant has no `Viewer` at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Viewer {
    /// The patient.
    Patient {
        /// The signed-in account.
        account: AccountId,
    },
    /// A carer, with the grant that lets them in.
    Carer(Grant),
}

/// In which of the product's roles an account acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Looks at their own mailbox.
    Patient,
    /// Looks at somebody else's mailbox by a grant.
    Carer,
    /// Books clinics and phones patients, for one trust.
    BookingClerk,
    /// Runs the booking office of one trust.
    Manager,
    /// Looks into what went to the wrong person, for one trust.
    InformationGovernance,
    /// Finds and unlocks accounts for all trusts; never sees a letter.
    SupportDesk,
    /// Runs the servers; never sees a letter.
    Operator,
    /// Reads the audit.
    Auditor,
    /// A hospital's computer, by API key.
    TrustSystem,
    /// The print house.
    PrintSupplier,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 10] = [
        Self::Patient,
        Self::Carer,
        Self::BookingClerk,
        Self::Manager,
        Self::InformationGovernance,
        Self::SupportDesk,
        Self::Operator,
        Self::Auditor,
        Self::TrustSystem,
        Self::PrintSupplier,
    ];

    /// The name in settings and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Carer => "carer",
            Self::BookingClerk => "booking_clerk",
            Self::Manager => "manager",
            Self::InformationGovernance => "information_governance",
            Self::SupportDesk => "support_desk",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::TrustSystem => "trust_system",
            Self::PrintSupplier => "print_supplier",
        }
    }

    /// The role that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether the role belongs to one trust and must never see another's patients.
    #[must_use]
    pub const fn is_trust_staff(self) -> bool {
        matches!(
            self,
            Self::BookingClerk | Self::Manager | Self::InformationGovernance
        )
    }
}

impl Viewer {
    /// The signed-in account.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Patient { account } => *account,
            Self::Carer(grant) => grant.carer,
        }
    }

    /// Patient or carer.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Patient { .. } => Role::Patient,
            Self::Carer(_) => Role::Carer,
        }
    }

    /// Whether the viewer may know that an item of this kind exists.
    ///
    /// `restricted`: of a specialty that the trust has marked sensitive. `hidden`: hidden by the patient
    /// from the circle of care, or reported as "not mine". Carers never see either, whatever is ticked.
    #[must_use]
    pub const fn sees(&self, kind: ShareKind, restricted: bool, hidden: bool) -> bool {
        match self {
            Self::Patient { .. } => true,
            Self::Carer(grant) => grant.ticks.has(kind) && !restricted && !hidden,
        }
    }

    /// Whether this viewer's opening of such an item counts as the patient's own and stops the deadline.
    ///
    /// A carer without "may read for me" may look at what is shared and already opened, but never opens.
    #[must_use]
    pub const fn may_open(&self, kind: ShareKind, restricted: bool, hidden: bool) -> bool {
        let counts = match self {
            Self::Patient { .. } => true,
            Self::Carer(grant) => grant.may_read_for_me,
        };
        counts && self.sees(kind, restricted, hidden)
    }

    /// Whether this viewer may say "this is not mine", hide items or change the circle: the patient only.
    #[must_use]
    pub const fn is_patient(&self) -> bool {
        matches!(self, Self::Patient { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn carer(ticks: Ticks, may_read_for_me: bool) -> Viewer {
        Viewer::Carer(Grant {
            id: GrantId::random(),
            patient: PatientId::random(),
            carer: AccountId::random(),
            ticks,
            may_read_for_me,
            version: GrantsVersion(1),
        })
    }

    fn patient() -> Viewer {
        Viewer::Patient {
            account: AccountId::random(),
        }
    }

    #[test]
    fn r27_1_no_box_is_ticked_by_default() {
        assert!(Ticks::default().is_empty());
        assert_eq!(Ticks::default().names(), Vec::<&str>::new());
    }

    #[test]
    fn r27_3_a_kind_that_this_version_does_not_know_is_not_shared() {
        assert_eq!(Ticks::from_bits(0b1110_0000), Ticks::NONE);
        assert_eq!(
            Ticks::from_names(["appointments", "genome"]),
            Err(UnknownTick {
                name: "genome".into()
            })
        );
    }

    #[test]
    fn r27_1_a_carer_sees_exactly_the_ticked_kinds() {
        let viewer = carer(Ticks::of(&[ShareKind::Appointments]), false);
        for kind in ShareKind::ALL {
            assert_eq!(
                viewer.sees(kind, false, false),
                kind == ShareKind::Appointments
            );
        }
    }

    #[test]
    fn r27_4_a_carers_opening_counts_only_when_they_may_read_for_the_patient() {
        let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
        assert!(!carer(ticks, false).may_open(ShareKind::ClinicLetters, false, false));
        assert!(carer(ticks, true).may_open(ShareKind::ClinicLetters, false, false));
        assert!(!carer(ticks, true).may_open(ShareKind::AppointmentLetters, false, false));
    }

    #[test]
    fn the_patient_sees_and_opens_everything() {
        for kind in ShareKind::ALL {
            assert!(patient().sees(kind, true, true) && patient().may_open(kind, true, true));
        }
    }

    #[test]
    fn roles_and_kinds_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        for kind in ShareKind::ALL {
            assert_eq!(ShareKind::from_name(kind.name()), Some(kind));
            assert_eq!(ShareKind::from_bit(kind.bit()), Some(kind));
        }
    }

    proptest! {
        #[test]
        fn a_carer_never_sees_what_is_restricted_or_hidden(
            bits in any::<u8>(), reads in any::<bool>(), restricted in any::<bool>(), hidden in any::<bool>(),
        ) {
            let viewer = carer(Ticks::from_bits(bits), reads);
            for kind in ShareKind::ALL {
                if restricted || hidden {
                    prop_assert!(!viewer.sees(kind, restricted, hidden));
                }
                prop_assert!(!viewer.may_open(kind, restricted, hidden) || viewer.sees(kind, restricted, hidden));
            }
        }

        #[test]
        fn ticks_survive_storage_and_forms(bits in any::<u8>()) {
            let ticks = Ticks::from_bits(bits);
            prop_assert_eq!(Ticks::from_bits(ticks.bits()), ticks);
            prop_assert_eq!(Ticks::from_names(ticks.names()), Ok(ticks));
        }
    }
}
