//! "This letter is not mine": from that moment nobody reads the letter. For ten minutes the patient may take it back;
//! then a named person at the trust takes the matter on, and only that ends what was planned for the letter.
//!
//! Never decides what the letter is: whether it was misdirected is found out by people.

use chrono::{DateTime, TimeDelta, Utc};

use crate::circle::Role;

/// How long the patient may take it back: long enough to notice a slip, short enough that the wrong person's letter
/// is soon looked into.
pub const UNDO_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// How the matter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispute {
    /// The patient has said so.
    Said {
        /// When.
        at: DateTime<Utc>,
    },
    /// A named person at the trust has taken it on.
    Accepted {
        /// When the patient had said so.
        said: DateTime<Utc>,
        /// When it was taken on.
        at: DateTime<Utc>,
    },
}

impl Dispute {
    /// From the two instants as they are stored.
    #[must_use]
    pub fn stored(said: DateTime<Utc>, accepted: Option<DateTime<Utc>>) -> Self {
        accepted.map_or(Self::Said { at: said }, |at| Self::Accepted { said, at })
    }

    /// Until when the patient may take it back; `None` once somebody has taken it on.
    #[must_use]
    pub fn undo_until(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Said { at } => Some(at + UNDO_WITHIN),
            Self::Accepted { .. } => None,
        }
    }

    /// Whether the patient may take it back now.
    #[must_use]
    pub fn may_undo(self, now: DateTime<Utc>) -> bool {
        self.undo_until().is_some_and(|until| now < until)
    }

    /// Whether somebody may take it on now: not while the patient may still take it back, and once.
    #[must_use]
    pub fn may_accept(self, now: DateTime<Utc>) -> bool {
        self.undo_until().is_some_and(|until| now >= until)
    }
}

/// Who may take the matter on: whoever answers for information governance, or runs the office.
#[must_use]
pub const fn accepts(role: Role) -> bool {
    matches!(role, Role::Manager | Role::InformationGovernance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::tests::utc;

    #[test]
    fn r19_2_for_ten_minutes_it_is_the_patients_and_then_the_trusts() {
        let said = utc("2026-11-22T10:00:00Z");
        let open = Dispute::stored(said, None);
        for (now, undo) in [
            ("2026-11-22T10:00:00Z", true),
            ("2026-11-22T10:09:59Z", true),
            ("2026-11-22T10:10:00Z", false),
            ("2026-11-29T10:00:00Z", false),
        ] {
            assert_eq!(open.may_undo(utc(now)), undo, "{now}");
            assert_eq!(open.may_accept(utc(now)), !undo, "{now}");
        }
        let taken = Dispute::stored(said, Some(utc("2026-11-22T11:00:00Z")));
        assert!(!taken.may_undo(said) && !taken.may_accept(utc("2026-11-23T10:00:00Z")));
    }

    #[test]
    fn r19_2_a_booking_clerk_cannot_take_it_on() {
        let who: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|role| accepts(*role))
            .collect();
        assert_eq!(who, [Role::Manager, Role::InformationGovernance]);
    }
}
