//! A patient invites somebody to the circle of care, sends the mail once more, or takes the invitation back.
//!
//! Nothing is shared by an invitation: see [`super::answer_invitation`].

use letterbox_domain::id::{AccountId, GrantsVersion, PatientId};
use letterbox_domain::invitation::{MOST_A_DAY, MOST_STANDING, STANDS_FOR};
use letterbox_domain::person::Email;
use serde_json::json;
use uuid::Uuid;

use crate::store::acts::{self, Act};
use crate::store::invitations::{self, Circle};
use crate::store::mails::{self, MailKind, NewMail, To};
use crate::store::{Principal, Retryable, Store, StoreError, Tx, grants};

pub use crate::store::invitations::NewInvitation;

/// Why nobody is invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// Only a patient has something to share.
    #[error("this account has no mailbox to share")]
    NoMailbox,
    /// The patient's own address or NHS number.
    #[error("a patient cannot be their own carer")]
    Own,
    /// Nothing is ticked.
    #[error("nothing is ticked")]
    NothingTicked,
    /// Name or relationship is missing or too long.
    #[error("name and relationship have 1 to 100 and 1 to 60 characters")]
    Words,
    /// This address has an invitation that waits for an answer.
    #[error("this address is invited already")]
    Invited,
    /// Whoever has this address is in the circle.
    #[error("this person is in the circle already: change what they see")]
    Shares,
    /// [`MOST_STANDING`] is reached.
    #[error("the circle is full: withdraw somebody first")]
    Full,
    /// [`MOST_A_DAY`] is reached.
    #[error("too many invitations today: go on tomorrow")]
    TooManyToday,
    /// It is not this patient's, or was answered or taken back.
    #[error("there is no such invitation")]
    NoSuchInvitation,
    /// Try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retryable for InviteError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_contention())
    }
}

/// What changed, for the bells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invited {
    /// The invitation.
    pub invitation: Uuid,
    /// Whose circle.
    pub patient: PatientId,
    /// The circle as it stands now.
    pub version: GrantsVersion,
}

/// Writes the invitation and queues its mail.
///
/// # Errors
/// [`InviteError`].
pub async fn invite(
    store: &Store,
    account: AccountId,
    new: &NewInvitation,
) -> Result<Invited, InviteError> {
    if new.ticks.is_empty() {
        return Err(InviteError::NothingTicked);
    }
    let fits = |text: &str, most| (1..=most).contains(&text.trim().chars().count());
    if !fits(&new.name, 100) || !fits(&new.relationship, 60) {
        return Err(InviteError::Words);
    }
    let write = |tx: Tx| async move {
        let circle = circle_of(&tx, account).await?;
        bounded(&circle)?;
        if circle.standing >= MOST_STANDING {
            return Err(InviteError::Full);
        }
        let number = new.nhs_number.map(|number| number.expose());
        if circle.email.as_deref() == Some(new.email.folded().as_str())
            || number.as_ref() == Some(&circle.nhs_number)
        {
            return Err(InviteError::Own);
        }
        match invitations::known(&tx, circle.patient, &new.email).await? {
            (true, _) => return Err(InviteError::Invited),
            (_, true) => return Err(InviteError::Shares),
            _ => {}
        }
        let id = invitations::insert(&tx, account, circle.patient, new, STANDS_FOR).await?;
        mail(&tx, &circle, id, &new.email, 0).await?;
        noted(&tx, account, &circle, id, "invitation.sent").await
    };
    let actor = Principal::Account { account };
    store.run("invitations.invite", &actor, write).await
}

/// Sends the mail once more and lets the invitation stand anew. The link of the earlier mail stops working.
///
/// # Errors
/// [`InviteError`].
pub async fn send_again(
    store: &Store,
    account: AccountId,
    invitation: Uuid,
) -> Result<Invited, InviteError> {
    let write = |tx: Tx| async move {
        let circle = circle_of(&tx, account).await?;
        bounded(&circle)?;
        let prolonged = invitations::prolong(&tx, circle.patient, invitation, STANDS_FOR).await?;
        let (email, mails) = prolonged.ok_or(InviteError::NoSuchInvitation)?;
        mail(&tx, &circle, invitation, &email, mails).await?;
        noted(&tx, account, &circle, invitation, "invitation.sent_again").await
    };
    let actor = Principal::Account { account };
    store.run("invitations.send_again", &actor, write).await
}

/// Takes an unanswered invitation back: its link answers nothing any more, and a mail that has not left stays here.
///
/// # Errors
/// [`InviteError`].
pub async fn cancel(
    store: &Store,
    account: AccountId,
    invitation: Uuid,
) -> Result<Invited, InviteError> {
    let write = |tx: Tx| async move {
        let circle = circle_of(&tx, account).await?;
        if !invitations::cancel(&tx, circle.patient, invitation).await? {
            return Err(InviteError::NoSuchInvitation);
        }
        noted(&tx, account, &circle, invitation, "invitation.cancelled").await
    };
    let actor = Principal::Account { account };
    store.run("invitations.cancel", &actor, write).await
}

async fn circle_of(tx: &Tx, account: AccountId) -> Result<Circle, InviteError> {
    invitations::own_circle(tx, account)
        .await?
        .ok_or(InviteError::NoMailbox)
}

fn bounded(circle: &Circle) -> Result<(), InviteError> {
    if circle.mails_today >= MOST_A_DAY {
        return Err(InviteError::TooManyToday);
    }
    Ok(())
}

/// The `sent`-th mail of an invitation.
async fn mail(
    tx: &Tx,
    circle: &Circle,
    invitation: Uuid,
    to: &Email,
    sent: i64,
) -> Result<(), StoreError> {
    let mail = NewMail {
        id: mails::effect_id(invitation, &format!("invitation/{sent}")),
        kind: MailKind::Invitation { invitation },
        to: To::Email(to),
        due_at: circle.now,
    };
    mails::queue(tx, &mail).await.map(drop)
}

/// History, audit and the word to the patient's other pages.
async fn noted(
    tx: &Tx,
    account: AccountId,
    circle: &Circle,
    invitation: Uuid,
    kind: &'static str,
) -> Result<Invited, InviteError> {
    let version = grants::touch(tx, circle.patient).await?;
    note(tx, account, circle.patient, invitation, kind).await?;
    Ok(Invited {
        invitation,
        patient: circle.patient,
        version,
    })
}

/// See [`acts`].
pub(super) async fn note(
    tx: &Tx,
    account: AccountId,
    patient: PatientId,
    invitation: Uuid,
    kind: &'static str,
) -> Result<(), StoreError> {
    let act = Act {
        account,
        patient: Some(patient),
        object_kind: "invitation",
        object: invitation,
        kind,
        facts: json!({}),
    };
    acts::note(tx, act).await
}
