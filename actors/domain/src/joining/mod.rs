//! Who may join the portal, who may only help others, and what becomes of a member who comes back.
//!
//! Pure rules over what the identity provider says and where the GP practice lies. Nothing here knows how either
//! was asked, and nothing here changes an account.

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::person::{BirthDate, NhsNumber};

/// The wording that people agree to on the joining screen. Raise it with every change of meaning.
pub const CONSENT_VERSION: i32 = 1;

/// How well the identity provider knows who somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proofing {
    /// An email address and a phone, no more.
    P0,
    /// Some details match the NHS record.
    P5,
    /// Identity proved: the NHS record is theirs.
    P9,
}

impl Proofing {
    /// From a claim such as `P9`, or from the beginning of a vector of trust such as `P9.Cp.Cd`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.split('.').next()? {
            "P0" => Some(Self::P0),
            "P5" => Some(Self::P5),
            "P9" => Some(Self::P9),
            _ => None,
        }
    }
}

/// Where somebody's GP practice lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Practice {
    /// Registered with none, or it is not said.
    None,
    /// In England and in the portal's area.
    InArea,
    /// In Wales: another way of joining.
    Wales,
    /// Anywhere else.
    Elsewhere,
}

/// What decides.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// How well the person is known.
    pub proofing: Proofing,
    /// Date of birth, if said.
    pub born: Option<BirthDate>,
    /// The day it is in England.
    pub today: NaiveDate,
    /// NHS number as said.
    pub nhs_number: Option<&'a str>,
    /// Where the GP practice lies.
    pub practice: Practice,
    /// Whether the provider has verified the email address.
    pub has_verified_email: bool,
}

/// Why there can be no account at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAccount {
    /// The identity is not proved yet.
    Unproven,
    /// Younger than 16 today.
    Under16,
    /// Without a verified address nobody can be told of a letter.
    UnverifiedEmail,
}

/// Why there can be an account for helping others, but no mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoMailbox {
    /// The GP practice lies in England or elsewhere, outside the area.
    OutsideArea,
    /// The GP practice lies in Wales.
    Wales,
    /// There is no GP practice.
    NoPractice,
    /// There is no valid NHS number.
    NoNhsNumber,
}

impl NoMailbox {
    /// All reasons.
    pub const ALL: [Self; 4] = [
        Self::OutsideArea,
        Self::Wales,
        Self::NoPractice,
        Self::NoNhsNumber,
    ];

    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutsideArea => "outside_area",
            Self::Wales => "wales",
            Self::NoPractice => "no_practice",
            Self::NoNhsNumber => "no_nhs_number",
        }
    }

    /// The reason that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// What somebody may be here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A patient with a mailbox, and a carer.
    Join(NhsNumber),
    /// A carer only.
    CarerOnly(NoMailbox),
    /// Nobody.
    Refused(NoAccount),
}

/// Judges somebody who signs in. What keeps a person out altogether is asked first.
#[must_use]
pub fn judge(facts: &Facts<'_>) -> Standing {
    let Some(born) = facts.born.filter(|_| facts.proofing == Proofing::P9) else {
        return Standing::Refused(NoAccount::Unproven);
    };
    if !born.is_sixteen_on(facts.today) {
        return Standing::Refused(NoAccount::Under16);
    }
    if !facts.has_verified_email {
        return Standing::Refused(NoAccount::UnverifiedEmail);
    }
    match facts.practice {
        Practice::None => Standing::CarerOnly(NoMailbox::NoPractice),
        Practice::Wales => Standing::CarerOnly(NoMailbox::Wales),
        Practice::Elsewhere => Standing::CarerOnly(NoMailbox::OutsideArea),
        Practice::InArea => match facts.nhs_number.map(NhsNumber::parse) {
            Some(Ok(number)) => Standing::Join(number),
            _ => Standing::CarerOnly(NoMailbox::NoNhsNumber),
        },
    }
}

/// Why a membership ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// To a GP practice outside the area.
    MovedAway,
    /// To a GP practice in Wales.
    MovedToWales,
}

impl Left {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MovedAway => "moved_away",
            Self::MovedToWales => "moved_to_wales",
        }
    }
}

/// What becomes of somebody who has an account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// Signed in.
    Welcome,
    /// Signed in; the membership ends and post resumes.
    Leave(Left),
    /// Not signed in: the mailbox stands under another NHS number than theirs now. A person has to settle it.
    NumberChanged,
    /// Not signed in.
    Refused(NoAccount),
}

/// Judges somebody who comes back; `mailbox` is the NHS number of the mailbox they are a member of.
///
/// An address that was verified here stands even if the provider's is not. Being between two GP practices ends
/// nothing: it is no sign of having moved away.
#[must_use]
pub fn judge_return(facts: &Facts<'_>, mailbox: Option<&NhsNumber>) -> Return {
    let verified_here = Facts {
        has_verified_email: true,
        ..*facts
    };
    let standing = judge(&verified_here);
    if let Standing::Refused(why) = standing {
        return Return::Refused(why);
    }
    let Some(mailbox) = mailbox else {
        return Return::Welcome;
    };
    let is_theirs = |text: &str| NhsNumber::parse(text).is_ok_and(|number| number == *mailbox);
    if !facts.nhs_number.is_some_and(is_theirs) {
        return Return::NumberChanged;
    }
    match standing {
        Standing::CarerOnly(NoMailbox::OutsideArea) => Return::Leave(Left::MovedAway),
        Standing::CarerOnly(NoMailbox::Wales) => Return::Leave(Left::MovedToWales),
        _ => Return::Welcome,
    }
}

/// Whether two family names are the same to a careful clerk: capitals, accents, hyphens, apostrophes and spaces
/// do not count, letters do. Two names without a letter are never the same.
#[must_use]
pub fn is_same_family_name(one: &str, other: &str) -> bool {
    let (one, other) = (letters_of(one), letters_of(other));
    !one.is_empty() && one == other
}

fn letters_of(name: &str) -> String {
    // By way of capitals, so that ß meets SS and a dotless i meets I.
    name.nfkd()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphabetic() && !is_combining_mark(*c))
        .collect()
}

#[cfg(test)]
mod tests;
