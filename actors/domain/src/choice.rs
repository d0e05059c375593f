//! What a patient chooses: by which ways to be told, what would be unsafe, how paper is to be printed, why to leave.
//!
//! None of it moves a deadline: who is not told by email or text gets paper on the same day as everybody.

/// Whether a way of telling may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Way {
    /// Told of what is new.
    #[default]
    On,
    /// Not told of what is new; still told what they must know about their account.
    Off,
    /// Nothing about this person leaves this way: somebody else might see it.
    Never,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::On, Self::Off, Self::Never];

    /// The name in forms and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Never => "never",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }

    /// As a form's two boxes say: unsafe wins.
    #[must_use]
    pub const fn of(is_wanted: bool, is_unsafe: bool) -> Self {
        match (is_unsafe, is_wanted) {
            (true, _) => Self::Never,
            (false, true) => Self::On,
            (false, false) => Self::Off,
        }
    }
}

/// How paper is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Print {
    /// As everybody's.
    Standard,
    /// At least 16 point.
    LargePrint,
    /// Braille.
    Braille,
    /// Read aloud, on a carrier.
    Audio,
    /// Short sentences with pictures.
    EasyRead,
}

impl Print {
    /// All of them, the usual one first.
    pub const ALL: [Self; 5] = [
        Self::Standard,
        Self::LargePrint,
        Self::Braille,
        Self::Audio,
        Self::EasyRead,
    ];

    /// The name in forms, the database and the print house's manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::LargePrint => "large_print",
            Self::Braille => "braille",
            Self::Audio => "audio",
            Self::EasyRead => "easy_read",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|print| print.name() == name)
    }
}

/// Why somebody leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaving {
    /// Paper is better.
    PreferPost,
    /// The portal is hard to use.
    HardToUse,
    /// Worried about who can see.
    Privacy,
    /// Moving away.
    Moving,
    /// No hospital letters any more.
    NoNeed,
    /// Something else, or no answer.
    Other,
}

impl Leaving {
    /// In the order in which a form asks.
    pub const ALL: [Self; 6] = [
        Self::PreferPost,
        Self::HardToUse,
        Self::Privacy,
        Self::Moving,
        Self::NoNeed,
        Self::Other,
    ];

    /// The name in forms and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreferPost => "prefer_post",
            Self::HardToUse => "hard_to_use",
            Self::Privacy => "privacy",
            Self::Moving => "moving",
            Self::NoNeed => "no_need",
            Self::Other => "other",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for way in Way::ALL {
            assert_eq!(Way::from_name(way.name()), Some(way));
        }
        for print in Print::ALL {
            assert_eq!(Print::from_name(print.name()), Some(print));
        }
        for reason in Leaving::ALL {
            assert_eq!(Leaving::from_name(reason.name()), Some(reason));
        }
    }

    #[test]
    fn what_is_unsafe_is_never_used_whatever_else_is_ticked() {
        assert_eq!(Way::of(true, true), Way::Never);
        assert_eq!(Way::of(false, true), Way::Never);
        assert_eq!(Way::of(true, false), Way::On);
        assert_eq!(Way::of(false, false), Way::Off);
    }
}
