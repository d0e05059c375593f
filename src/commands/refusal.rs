//! Why input is refused: a stable code for programs, a sentence that says what to do for people.

use std::borrow::Cow;

/// Stable names of refusals; programs of the trusts branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A field is empty, too long or malformed.
    InvalidField,
    /// The NHS number is not one: a digit is wrong.
    InvalidNhsNumber,
    /// The trust has never told us of a patient with this id.
    UnknownPatient,
    /// The patient with this id has another NHS number, or the number belongs to somebody else.
    PatientMismatch,
    /// A draft: `signed` is not true.
    NotSigned,
    /// No document with this hash has been uploaded.
    UnknownDocument,
    /// The trust has never told us of an appointment with this id.
    UnknownAppointment,
    /// The trust has never sent a letter with this id.
    UnknownLetter,
    /// A letter with this id and other content is here.
    SourceIdReused,
    /// This version is here with other content.
    SourceVersionReused,
    /// The letter has been withdrawn or replaced already.
    LetterGone,
    /// More items than one call may carry.
    TooManyItems,
}

/// Which kind of answer a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The input itself is wrong.
    Invalid,
    /// It refers to something that is not there, or is not the caller's.
    NotFound,
    /// It contradicts what is here.
    Conflict,
}

impl Code {
    /// The name on the wire and in the quarantine.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidField => "invalid_field",
            Self::InvalidNhsNumber => "invalid_nhs_number",
            Self::UnknownPatient => "unknown_patient",
            Self::PatientMismatch => "patient_mismatch",
            Self::NotSigned => "not_signed",
            Self::UnknownDocument => "unknown_document",
            Self::UnknownAppointment => "unknown_appointment",
            Self::UnknownLetter => "unknown_letter",
            Self::SourceIdReused => "source_id_reused",
            Self::SourceVersionReused => "source_version_reused",
            Self::LetterGone => "letter_gone",
            Self::TooManyItems => "too_many_items",
        }
    }

    /// Which kind of answer it is.
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::UnknownLetter => Fault::NotFound,
            Self::SourceIdReused
            | Self::SourceVersionReused
            | Self::LetterGone
            | Self::PatientMismatch => Fault::Conflict,
            Self::InvalidField
            | Self::InvalidNhsNumber
            | Self::UnknownPatient
            | Self::NotSigned
            | Self::UnknownDocument
            | Self::UnknownAppointment
            | Self::TooManyItems => Fault::Invalid,
        }
    }

    /// Whether the input is kept for a person to look at: a letter that nobody sends again would be lost.
    ///
    /// Plain mistakes of form are not: the sender sees them at once and nothing has been promised.
    #[must_use]
    pub const fn is_quarantined(self) -> bool {
        matches!(
            self,
            Self::InvalidNhsNumber
                | Self::UnknownPatient
                | Self::PatientMismatch
                | Self::NotSigned
                | Self::UnknownDocument
                | Self::UnknownAppointment
                | Self::SourceIdReused
                | Self::SourceVersionReused
        )
    }
}

/// A refusal. Carries nothing that a patient could be known by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.name())]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what to do.
    pub detail: Cow<'static, str>,
    /// JSON pointer of the wrong field, where one is to blame.
    pub field: Option<&'static str>,
}

impl Refusal {
    /// A refusal without a field to blame.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            field: None,
        }
    }

    /// A wrong field.
    pub fn field(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: Code::InvalidField,
            detail: detail.into(),
            field: Some(field),
        }
    }

    pub(super) fn at(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }
}
