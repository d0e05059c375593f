//! Somebody comes back from the identity provider: signed in, asked whether to join, or told kindly why not.
//!
//! Opens no account and no mailbox: that takes a decision of the person's own, see [`super::join`]. A member whose
//! GP practice lies elsewhere now leaves here. Never talks to the provider: what it said comes in checked.

use std::fmt;
use std::time::Duration;

use letterbox_domain::id::{AccountId, GrantId, GrantsVersion, PatientId};
use letterbox_domain::joining::{self, Facts, Left, NoAccount, Proofing, Return, Standing};
use letterbox_domain::person::{BirthDate, Email, Mobile, NhsNumber, PersonName};
use letterbox_domain::time;
use uuid::Uuid;

use crate::config::Practices;
use crate::store::accounts::{self, Known, Mismatch};
use crate::store::sign_ins::{self, Joining};
use crate::store::{Principal, Store, StoreError, Tx};

/// Why somebody set out to the identity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To show once more that it is really them, before something that matters.
    Confirm,
    /// To get a mailbox for an account that has none.
    Join,
}

impl Purpose {
    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Confirm => "confirm",
            Self::Join => "join",
        }
    }

    /// The purpose that carries this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SignIn, Self::Confirm, Self::Join]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// What somebody said before setting out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Why.
    pub purpose: Purpose,
    /// Who was signed in then; always there for [`Purpose::Confirm`] and [`Purpose::Join`].
    pub account: Option<AccountId>,
    /// What kind of computer they said it is.
    pub public_computer: bool,
    /// Where they want to go: a path of ours.
    pub next: String,
}

/// What the identity provider says of somebody, its signature checked. `Debug` hides who it is.
#[derive(Clone)]
pub struct Verified {
    /// Who says it.
    pub issuer: String,
    /// Its own name for the person; never reused, and the only key of the identity.
    pub subject: String,
    /// How well it knows them.
    pub proofing: Proofing,
    /// Given and family name.
    pub name: Option<PersonName>,
    /// Date of birth.
    pub born: Option<BirthDate>,
    /// As said; not checked yet.
    pub nhs_number: Option<String>,
    /// Only if the provider verified it.
    pub email: Option<Email>,
    /// Only if the provider verified it.
    pub mobile: Option<Mobile>,
    /// Code of the GP practice.
    pub practice_code: Option<String>,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("proofing", &self.proofing)
            .finish_non_exhaustive()
    }
}

/// Why somebody is not let in; each has a page that says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sorry {
    /// The identity is not proved.
    Unproven,
    /// Under 16.
    Under16,
    /// No verified email address.
    UnverifiedEmail,
    /// Another account has the address.
    EmailTaken,
    /// The mailbox stands under another NHS number.
    NumberChanged,
    /// The mailbox is another login's.
    OtherLogin,
    /// The hospitals know somebody else under this NHS number.
    DetailsDiffer,
    /// Somebody else is signed in on this browser.
    OtherPerson,
}

impl Sorry {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Unproven,
        Self::Under16,
        Self::UnverifiedEmail,
        Self::EmailTaken,
        Self::NumberChanged,
        Self::OtherLogin,
        Self::DetailsDiffer,
        Self::OtherPerson,
    ];

    /// The name in addresses and figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unproven => "prove-who-you-are",
            Self::Under16 => "under-16",
            Self::UnverifiedEmail => "email-not-verified",
            Self::EmailTaken => "email-in-use",
            Self::NumberChanged => "nhs-number-changed",
            Self::OtherLogin => "joined-before",
            Self::DetailsDiffer => "details-differ",
            Self::OtherPerson => "somebody-else",
        }
    }
}

impl From<NoAccount> for Sorry {
    fn from(why: NoAccount) -> Self {
        match why {
            NoAccount::Unproven => Self::Unproven,
            NoAccount::Under16 => Self::Under16,
            NoAccount::UnverifiedEmail => Self::UnverifiedEmail,
        }
    }
}

/// What becomes of somebody who arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// They are to be signed in.
    SignIn(AccountId),
    /// They are to be asked; what was said is kept behind the caller's secret.
    Decide,
    /// They are to be signed in and told that they are no member any more.
    Left(Leaving),
    /// They are not signed in.
    Refused(Sorry),
}

/// A membership that has just ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Whose.
    pub account: AccountId,
    /// The mailbox.
    pub patient: PatientId,
    /// Why.
    pub why: Left,
    /// What was shared out of it until now.
    pub grants: Vec<GrantId>,
    /// The mailbox's sharing as it stands now.
    pub version: GrantsVersion,
}

/// What an arrival is judged by, besides what the provider says.
#[derive(Clone, Copy, Debug)]
pub struct Arriving<'a> {
    /// Which GP practices are whose.
    pub practices: &'a Practices,
    /// What the visitor wants.
    pub visit: &'a Visit,
    /// Hash of the secret behind which an undecided visitor is remembered.
    pub secret_sha256: &'a [u8; 32],
    /// How long they may take to decide.
    pub decide_within: Duration,
}

/// Judges an arrival, and writes what follows from it.
///
/// # Errors
/// Any [`StoreError`]; nothing is changed then.
pub async fn arrive(
    store: &Store,
    who: &Verified,
    arriving: Arriving<'_>,
) -> Result<Arrival, StoreError> {
    let work = |tx| attempt(tx, who, arriving);
    store.run("people.arrive", &Principal::SERVER, work).await
}

async fn attempt(tx: Tx, who: &Verified, arriving: Arriving<'_>) -> Result<Arrival, StoreError> {
    let today = time::local_date(accounts::now(&tx).await?);
    let facts = Facts {
        proofing: who.proofing,
        born: who.born,
        today,
        nhs_number: who.nhs_number.as_deref(),
        practice: arriving.practices.place(who.practice_code.as_deref()),
        has_verified_email: who.email.is_some(),
    };
    let known = accounts::known(&tx, &who.issuer, &who.subject).await?;
    let is_other = match (&arriving.visit.account, &known) {
        (Some(expected), Some(known)) => {
            arriving.visit.purpose != Purpose::SignIn && known.account != *expected
        }
        (Some(_), None) => arriving.visit.purpose != Purpose::SignIn,
        (None, _) => false,
    };
    if is_other {
        return Ok(Arrival::Refused(Sorry::OtherPerson));
    }
    match known {
        Some(known) => back(&tx, who, &facts, &known, arriving).await,
        None => decide(&tx, who, &facts, None, arriving).await,
    }
}

/// Somebody with an account.
async fn back(
    tx: &Tx,
    who: &Verified,
    facts: &Facts<'_>,
    known: &Known,
    arriving: Arriving<'_>,
) -> Result<Arrival, StoreError> {
    let mailbox = known.mailbox.as_deref().map(NhsNumber::parse).transpose();
    let mailbox =
        mailbox.map_err(|why| StoreError::corrupt("patients", "nhs_number", why.to_string()))?;
    let account = known.account;
    match joining::judge_return(facts, mailbox.as_ref()) {
        Return::Refused(why) => refuse(tx, account, why.into()).await,
        Return::NumberChanged => {
            let mismatch = Mismatch {
                kind: "number_changed",
                issuer: &who.issuer,
                subject: &who.subject,
                account: Some(account),
                patient: None,
                nhs_number: who.nhs_number.as_deref(),
            };
            accounts::note_mismatch(tx, &mismatch).await?;
            refuse(tx, account, Sorry::NumberChanged).await
        }
        Return::Leave(why) => leave(tx, account, why).await,
        Return::Welcome if arriving.visit.purpose == Purpose::Join && mailbox.is_none() => {
            decide(tx, who, facts, Some(account), arriving).await
        }
        Return::Welcome => {
            accounts::note_sign_in(tx, account, "signed_in", true).await?;
            Ok(Arrival::SignIn(account))
        }
    }
}

async fn refuse(tx: &Tx, account: AccountId, why: Sorry) -> Result<Arrival, StoreError> {
    accounts::note_sign_in(tx, account, "sign_in.refused", false).await?;
    Ok(Arrival::Refused(why))
}

async fn leave(tx: &Tx, account: AccountId, why: Left) -> Result<Arrival, StoreError> {
    let Some(ended) = accounts::leave(tx, account, why).await? else {
        // Ended in between by somebody else: what is left is an account without a mailbox.
        return Ok(Arrival::SignIn(account));
    };
    accounts::note_sign_in(tx, account, "signed_in", true).await?;
    Ok(Arrival::Left(Leaving {
        account,
        patient: ended.patient,
        why,
        grants: ended.grants,
        version: ended.version,
    }))
}

/// Somebody without a mailbox, and maybe without an account.
async fn decide(
    tx: &Tx,
    who: &Verified,
    facts: &Facts<'_>,
    account: Option<AccountId>,
    arriving: Arriving<'_>,
) -> Result<Arrival, StoreError> {
    let (nhs_number, no_mailbox) = match joining::judge(facts) {
        Standing::Refused(why) => return Ok(Arrival::Refused(why.into())),
        Standing::Join(number) => (Some(number.expose()), None),
        Standing::CarerOnly(why) => (None, Some(why.name().to_owned())),
    };
    let (Some(name), Some(born), Some(email)) = (&who.name, who.born, &who.email) else {
        return Ok(Arrival::Refused(Sorry::Unproven));
    };
    if accounts::is_email_taken(tx, email.expose(), account).await? {
        return Ok(Arrival::Refused(Sorry::EmailTaken));
    }
    let joining = Joining {
        id: Uuid::now_v7(),
        issuer: who.issuer.clone(),
        subject: who.subject.clone(),
        account,
        given_name: name.given().to_owned(),
        family_name: name.family().to_owned(),
        birth_date: born.expose(),
        nhs_number,
        no_mailbox,
        email: email.expose().to_owned(),
        mobile: who.mobile.as_ref().map(|mobile| mobile.expose().to_owned()),
        practice_code: who.practice_code.clone(),
        public_computer: arriving.visit.public_computer,
        next: arriving.visit.next.clone(),
    };
    let lives = arriving.decide_within;
    sign_ins::keep_joining(tx, arriving.secret_sha256, &joining, lives).await?;
    Ok(Arrival::Decide)
}
