//! Somebody who has proved who they are decides: letters here from now on, an account for helping others, or nothing.
//!
//! The mailbox is found by NHS number, and only opened where birth date and family name agree with what a hospital
//! has sent. Letters from before this moment stay where they were.

use letterbox_domain::id::{AccountId, PatientId};
use letterbox_domain::joining::{CONSENT_VERSION, is_same_family_name};

use super::arrive::Sorry;
use crate::store::accounts::{self, Mailbox, Mismatch, NewAccount};
use crate::store::people::{self, PatientRow};
use crate::store::sign_ins::{self, Joining};
use crate::store::{Principal, Store, StoreError, Tx};

/// What somebody chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// "From today these letters come here instead of by post."
    Letters,
    /// Only to help others.
    HelpOthers,
    /// Nothing of it.
    Neither,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// There is an account to sign in to.
    Account {
        /// Which.
        account: AccountId,
        /// What kind of computer they said it is.
        public_computer: bool,
        /// Where they wanted to go.
        next: String,
    },
    /// They chose nothing, and nothing of them is kept.
    Left,
    /// It was decided before, or too long ago.
    Gone,
    /// It cannot be.
    Refused(Sorry),
}

/// Carries out a choice, once.
///
/// # Errors
/// Any [`StoreError`]; nothing is changed then and the choice still stands open.
pub async fn decide(
    store: &Store,
    secret_sha256: &[u8; 32],
    choice: Choice,
) -> Result<Decided, StoreError> {
    let work = |tx| attempt(tx, secret_sha256, choice);
    let principal = Principal::SERVER;
    match store.run("people.join", &principal, work).await {
        // Asked again it is either still open, and done now, or gone: then signing in finds the account.
        Err(StoreError::CommitUnknown) => store.run("people.join", &principal, work).await,
        settled => settled,
    }
}

async fn attempt(tx: Tx, secret_sha256: &[u8; 32], choice: Choice) -> Result<Decided, StoreError> {
    let Some(joining) = sign_ins::find_joining(&tx, secret_sha256).await? else {
        return Ok(Decided::Gone);
    };
    if choice == Choice::Neither {
        sign_ins::forget_joining(&tx, joining.id).await?;
        return Ok(Decided::Left);
    }
    let own = own_account(&tx, &joining).await?;
    let mailbox = match choice {
        Choice::Letters => match own_mailbox(&tx, &joining, own).await? {
            Ok(mailbox) => mailbox,
            Err(why) => return give_up(&tx, &joining, why).await,
        },
        _ => None,
    };
    let account = match own {
        Some(account) => Some(account),
        None => open_account(&tx, &joining).await?,
    };
    let Some(account) = account else {
        return give_up(&tx, &joining, Sorry::EmailTaken).await;
    };
    if let Some((patient, is_new)) = mailbox {
        if is_new {
            people::insert(&tx, patient, &row(&joining)).await?;
        }
        let practice = joining.practice_code.as_deref();
        accounts::join(&tx, account, patient, CONSENT_VERSION, practice).await?;
    }
    sign_ins::forget_joining(&tx, joining.id).await?;
    accounts::note_sign_in(&tx, account, "signed_in", true).await?;
    Ok(Decided::Account {
        account,
        public_computer: joining.public_computer,
        next: joining.next,
    })
}

async fn give_up(tx: &Tx, joining: &Joining, why: Sorry) -> Result<Decided, StoreError> {
    sign_ins::forget_joining(tx, joining.id).await?;
    Ok(Decided::Refused(why))
}

/// The account there is already: from before, or from another tab a moment ago.
async fn own_account(tx: &Tx, joining: &Joining) -> Result<Option<AccountId>, StoreError> {
    if joining.account.is_some() {
        return Ok(joining.account);
    }
    let known = accounts::known(tx, &joining.issuer, &joining.subject).await?;
    Ok(known.map(|known| known.account))
}

/// A new account; `None` when somebody else has the address.
async fn open_account(tx: &Tx, joining: &Joining) -> Result<Option<AccountId>, StoreError> {
    let name = format!("{} {}", joining.given_name, joining.family_name);
    let new = NewAccount {
        account: AccountId::random(),
        name: &name,
        email: &joining.email,
        mobile: joining.mobile.as_deref(),
    };
    let opened = accounts::open(tx, &new, &joining.issuer, &joining.subject).await?;
    Ok(opened.then_some(new.account))
}

/// The mailbox of this NHS number, if it may be theirs, and whether it has yet to be made; `None` when they are its
/// member already.
async fn own_mailbox(
    tx: &Tx,
    joining: &Joining,
    own: Option<AccountId>,
) -> Result<Result<Option<(PatientId, bool)>, Sorry>, StoreError> {
    let Some(nhs_number) = &joining.nhs_number else {
        return Ok(Err(Sorry::DetailsDiffer));
    };
    let Some(found) = accounts::mailbox(tx, nhs_number).await? else {
        return Ok(Ok(Some((PatientId::random(), true))));
    };
    if own.is_some() && found.member == own {
        return Ok(Ok(None));
    }
    let (kind, why) = match judge(joining, &found) {
        Ok(()) => return Ok(Ok(Some((found.patient, false)))),
        Err(Sorry::OtherLogin) => ("other_login", Sorry::OtherLogin),
        Err(other) => ("details_differ", other),
    };
    let mismatch = Mismatch {
        kind,
        issuer: &joining.issuer,
        subject: &joining.subject,
        account: joining.account,
        patient: Some(found.patient),
        nhs_number: Some(nhs_number),
    };
    accounts::note_mismatch(tx, &mismatch).await?;
    Ok(Err(why))
}

/// A number alone proves nobody: hospitals have mistyped numbers, and letters of another person must not be shown.
fn judge(joining: &Joining, found: &Mailbox) -> Result<(), Sorry> {
    let same = found.birth_date == joining.birth_date
        && is_same_family_name(&found.family_name, &joining.family_name);
    if found.is_deceased || !same {
        Err(Sorry::DetailsDiffer)
    } else if found.member.is_some() {
        Err(Sorry::OtherLogin)
    } else {
        Ok(())
    }
}

/// Until a hospital tells more, the mailbox knows what the identity provider said, and no address.
fn row(joining: &Joining) -> PatientRow<'_> {
    PatientRow {
        nhs_number: joining.nhs_number.as_deref().unwrap_or_default(),
        given_name: &joining.given_name,
        family_name: &joining.family_name,
        birth_date: joining.birth_date,
        address_lines: &[],
        phone: joining.mobile.as_deref(),
        format_need: None,
    }
}
