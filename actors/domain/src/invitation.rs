//! Inviting somebody to a circle of care: how long an invitation stands, how many there may be, and who may accept.
//!
//! Nothing is visible before acceptance. An invitation is bound to the invited email address, so one that is
//! forwarded, or sent to a guessed address, is of no use to anybody else.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::id::AccountId;
use crate::person::{BirthDate, NhsNumber};

/// How long an invitation can be answered.
pub const STANDS_FOR: TimeDelta = TimeDelta::days(7);

/// Invitations and grants of one patient that stand at the same time: more than any family we have heard of, and few
/// enough that the patient keeps an overview on one page.
pub const MOST_STANDING: usize = 20;

/// Invitation mails of one patient within 24 hours, repeats included: the portal must not become a way to send
/// strangers mail.
pub const MOST_A_DAY: usize = 10;

/// How long "may read for me" holds until the patient is asked whether it is still right.
pub const READING_HOLDS_FOR: TimeDelta = TimeDelta::days(365);

/// How long the patient has to answer that.
pub const READING_ANSWER_WITHIN: TimeDelta = TimeDelta::days(30);

/// How an invitation ended, if it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The invited person shares now.
    Accepted,
    /// The invited person does not want to.
    Declined,
    /// The patient took it back.
    Cancelled,
}

impl Ended {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
        }
    }

    /// The end that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accepted, Self::Declined, Self::Cancelled]
            .into_iter()
            .find(|end| end.name() == name)
    }
}

/// How an invitation stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Waiting for an answer.
    Pending,
    /// Ended by somebody.
    Ended(Ended),
    /// Ended by time.
    Expired,
}

/// How an invitation stands. It is over at the instant of its end, not after it.
#[must_use]
pub fn standing(ended: Option<Ended>, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Standing {
    match ended {
        Some(end) => Standing::Ended(end),
        None if now >= expires_at => Standing::Expired,
        None => Standing::Pending,
    }
}

/// What the patient has laid down. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Terms {
    /// How it stands.
    pub standing: Standing,
    /// The patient's own account.
    pub inviter: AccountId,
    /// The invited address, folded.
    pub email: String,
    /// The invited person's NHS number, if the patient gave one.
    pub nhs_number: Option<NhsNumber>,
}

/// Whoever wants to answer. `Debug` shows nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitee {
    /// The signed-in account.
    pub account: AccountId,
    /// Its verified address, folded; `None` while none is verified.
    pub email: Option<String>,
    /// Its NHS number, where we know it.
    pub nhs_number: Option<NhsNumber>,
    /// Its day of birth, where we know it.
    pub birth_date: Option<BirthDate>,
}

super::person::hidden!(Terms, Invitee);

/// Why somebody may not answer an invitation. Each says what the page should tell them to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotYours {
    /// It was answered, taken back or is too old: ask for a new one.
    #[error("the invitation no longer stands")]
    Over(Standing),
    /// The patient's own account: nobody is their own carer.
    #[error("a patient cannot accept their own invitation")]
    Own,
    /// Sent to another address: ask the patient to invite this one.
    #[error("the invitation is for another email address")]
    OtherEmail,
    /// The account has no verified address yet: verify it first.
    #[error("the account has no verified email address")]
    Unverified,
    /// The patient meant somebody else: ask them to check the number.
    #[error("the NHS number is another one")]
    OtherNhsNumber,
    /// Under 16.
    #[error("carers are 16 or older")]
    Under16,
}

/// Whether this person may answer this invitation today.
///
/// The address is asked for before anything else about the person, so that nobody learns from a forwarded invitation
/// what the patient knows of the one who was meant.
///
/// # Errors
/// [`NotYours`].
pub fn may_answer(terms: &Terms, person: &Invitee, today: NaiveDate) -> Result<(), NotYours> {
    if person.account == terms.inviter {
        return Err(NotYours::Own);
    }
    let email = person.email.as_ref().ok_or(NotYours::Unverified)?;
    if *email != terms.email {
        return Err(NotYours::OtherEmail);
    }
    if terms.standing != Standing::Pending {
        return Err(NotYours::Over(terms.standing));
    }
    if let (Some(meant), Some(theirs)) = (terms.nhs_number, person.nhs_number)
        && meant != theirs
    {
        return Err(NotYours::OtherNhsNumber);
    }
    if person
        .birth_date
        .is_some_and(|born| !born.is_sixteen_on(today))
    {
        return Err(NotYours::Under16);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> NhsNumber {
        NhsNumber::parse(text).expect("a number")
    }

    fn terms() -> Terms {
        Terms {
            standing: Standing::Pending,
            inviter: AccountId::random(),
            email: "susan@example.test".into(),
            nhs_number: None,
        }
    }

    fn susan() -> Invitee {
        Invitee {
            account: AccountId::random(),
            email: Some("susan@example.test".into()),
            nhs_number: None,
            birth_date: None,
        }
    }

    fn today() -> NaiveDate {
        "2026-11-22".parse().expect("a date")
    }

    fn born(on: &str) -> Option<BirthDate> {
        Some(on.parse().expect("a day of birth"))
    }

    #[test]
    fn r26_3_only_the_invited_address_may_answer() {
        assert_eq!(may_answer(&terms(), &susan(), today()), Ok(()));
        let other = Invitee {
            email: Some("sam@example.test".into()),
            ..susan()
        };
        assert_eq!(
            may_answer(&terms(), &other, today()),
            Err(NotYours::OtherEmail)
        );
        let unverified = Invitee {
            email: None,
            ..susan()
        };
        assert_eq!(
            may_answer(&terms(), &unverified, today()),
            Err(NotYours::Unverified)
        );
    }

    #[test]
    fn r26_2_an_invitation_is_answered_once_and_within_seven_days() {
        let sent = "2026-11-22T10:00:00Z"
            .parse::<DateTime<Utc>>()
            .expect("an instant");
        let until = sent + STANDS_FOR;
        let before = until - TimeDelta::milliseconds(1);
        assert_eq!(standing(None, until, before), Standing::Pending);
        assert_eq!(standing(None, until, until), Standing::Expired);
        for end in [Ended::Accepted, Ended::Declined, Ended::Cancelled] {
            assert_eq!(standing(Some(end), until, sent), Standing::Ended(end));
            assert_eq!(Ended::from_name(end.name()), Some(end));
            let over = Terms {
                standing: Standing::Ended(end),
                ..terms()
            };
            let refused = may_answer(&over, &susan(), today());
            assert_eq!(refused, Err(NotYours::Over(Standing::Ended(end))));
        }
    }

    #[test]
    fn a_patient_cannot_invite_themselves() {
        let own = Invitee {
            account: terms().inviter,
            ..susan()
        };
        let terms = Terms {
            inviter: own.account,
            ..terms()
        };
        assert_eq!(may_answer(&terms, &own, today()), Err(NotYours::Own));
    }

    #[test]
    fn a_given_nhs_number_must_be_the_persons_where_it_is_known() {
        let terms = Terms {
            nhs_number: Some(number("9990000018")),
            ..terms()
        };
        let with = |nhs_number| Invitee {
            nhs_number,
            ..susan()
        };
        assert_eq!(may_answer(&terms, &with(None), today()), Ok(()));
        let same = with(Some(number("9990000018")));
        assert_eq!(may_answer(&terms, &same, today()), Ok(()));
        let other = with(Some(number("9990000026")));
        assert_eq!(
            may_answer(&terms, &other, today()),
            Err(NotYours::OtherNhsNumber)
        );
    }

    #[test]
    fn a_carer_is_sixteen_on_the_day() {
        let person = |on| Invitee {
            birth_date: born(on),
            ..susan()
        };
        assert_eq!(may_answer(&terms(), &person("2010-11-22"), today()), Ok(()));
        assert_eq!(
            may_answer(&terms(), &person("2010-11-23"), today()),
            Err(NotYours::Under16)
        );
    }

    proptest! {
        #[test]
        fn case_92_nobody_with_another_address_learns_anything_else(
            ended in 0u8..4, old in any::<bool>(), numbered in any::<bool>(), young in any::<bool>(),
        ) {
            let standing = match ended {
                0 if old => Standing::Expired,
                0 => Standing::Pending,
                1 => Standing::Ended(Ended::Accepted),
                2 => Standing::Ended(Ended::Declined),
                _ => Standing::Ended(Ended::Cancelled),
            };
            let terms = Terms { standing, nhs_number: numbered.then(|| number("9990000018")), ..terms() };
            let stranger = Invitee {
                email: Some("stranger@example.test".into()),
                nhs_number: Some(number("9990000026")),
                birth_date: born(if young { "2015-01-01" } else { "1980-01-01" }),
                ..susan()
            };
            prop_assert_eq!(may_answer(&terms, &stranger, today()), Err(NotYours::OtherEmail));
        }
    }
}
