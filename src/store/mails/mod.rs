//! Mails and reminding texts to accounts, and mails to those who are invited: queued here in the transaction that causes them, sent by
//! `sending`. A mail's id is the key of its effect, so that the same cause never queues two.
//!
//! Holds no secret and no words: an invitation's token is made as the mail leaves, the words are the domain's.

mod sending;
mod wanted;

use chrono::{DateTime, Utc};
use letterbox_domain::dispatch::Channel;
use letterbox_domain::id::{AccountId, AppointmentId, GrantId};
use letterbox_domain::person::{Email, Mobile};
use letterbox_domain::reminder::Notice;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{StoreError, Tx};

pub(super) use sending::not_arrived;
pub use sending::{AccountMails, sha256};
pub(super) use wanted::quiet_until;

/// What a mail is about, with what its words and its last check need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// Invites somebody to a circle of care; dropped if the invitation ends first.
    Invitation {
        /// Which.
        invitation: Uuid,
    },
    /// Tells a patient that a carer has opened something for them.
    ReadForYou {
        /// The patient's account.
        account: AccountId,
        /// By which grant.
        grant: GrantId,
    },
    /// Tells a carer that there is something new; dropped if by then nothing of it may be seen.
    SomethingNew {
        /// The carer's account.
        account: AccountId,
        /// By which grant.
        grant: GrantId,
        /// What is new came after this event.
        after: i64,
        /// The last event that was considered.
        up_to: i64,
    },
    /// Asks a patient whether a carer may still read for them; dropped if it is no longer a question.
    StillReading {
        /// The patient's account.
        account: AccountId,
        /// Whose grant.
        grant: GrantId,
        /// Without an answer the carer may not after that.
        until: DateTime<Utc>,
    },
    /// Reminds a patient of an appointment; dropped if it has moved, is cancelled or has begun, or if reminders or this
    /// way of telling are not wanted any more.
    Reminder {
        /// The patient's account.
        account: AccountId,
        /// Of which appointment.
        appointment: AppointmentId,
        /// As it stood after this change.
        change: i32,
        /// How long before.
        notice: Notice,
    },
}

/// Where a mail goes, or a text.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    /// By email.
    Email(&'a Email),
    /// By text.
    Text(&'a Mobile),
}

impl<'a> To<'a> {
    const fn channel(self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Text(_) => Channel::Text,
        }
    }

    fn expose(self) -> &'a str {
        match self {
            Self::Email(email) => email.expose(),
            Self::Text(mobile) => mobile.expose(),
        }
    }
}

/// A mail to be queued.
#[derive(Clone, Debug)]
pub struct NewMail<'a> {
    /// Key of the effect: the same cause gives the same id, and the second one changes nothing.
    pub id: Uuid,
    /// What it is about.
    pub kind: MailKind,
    /// Where it goes, as the address stands now.
    pub to: To<'a>,
    /// Not before.
    pub due_at: DateTime<Utc>,
}

/// Our namespace for mails' keys: random once, and never changed.
const EFFECTS: Uuid = Uuid::from_u128(0x2b64_1c1e_5d0f_4a7d_8f2c_93a6_44c1_0b57);

/// The key of the mail that `cause` makes for `subject`.
#[must_use]
pub fn effect_id(subject: Uuid, cause: &str) -> Uuid {
    let mut name = subject.as_bytes().to_vec();
    name.push(b'/');
    name.extend_from_slice(cause.as_bytes());
    Uuid::new_v5(&EFFECTS, &name)
}

/// Where a mail stands, as pages tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Waiting, or on its way.
    Sending,
    /// The mail server has it.
    Sent,
    /// It was refused.
    Failed,
    /// Nobody knows. It is not sent again by itself.
    Unknown,
    /// It was not wanted any more.
    Cancelled,
}

impl MailState {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "queued" | "sending" => Self::Sending,
            "sent" => Self::Sent,
            "failed" => Self::Failed,
            "unknown" => Self::Unknown,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }
}

const INSERT: &str = "
    INSERT INTO account_mails (id, kind, to_address, account_id, invitation_id, grant_id, params, due_at, channel, appointment_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING";

/// Queues a mail in the transaction that causes it; `false` if it has been queued before.
///
/// # Errors
/// Any [`StoreError`].
pub async fn queue(tx: &Tx, new: &NewMail<'_>) -> Result<bool, StoreError> {
    let columns = new.kind.columns();
    let params: super::Params<'_> = &[
        &new.id,
        &new.kind.name(),
        &new.to.expose(),
        &columns.account,
        &columns.invitation,
        &columns.grant,
        &columns.params,
        &new.due_at,
        &new.to.channel().name(),
        &columns.appointment,
    ];
    Ok(tx.execute(INSERT, params).await? == 1)
}

#[derive(Default)]
struct Columns {
    account: Option<Uuid>,
    invitation: Option<Uuid>,
    grant: Option<Uuid>,
    appointment: Option<Uuid>,
    params: Value,
}

impl MailKind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "invitation",
            Self::ReadForYou { .. } => "read_for_you",
            Self::SomethingNew { .. } => "something_new",
            Self::StillReading { .. } => "still_reading",
            Self::Reminder { .. } => "reminder",
        }
    }

    fn columns(&self) -> Columns {
        let about = |account: &AccountId, grant: &GrantId, params| Columns {
            account: Some(account.as_uuid()),
            grant: Some(grant.as_uuid()),
            params,
            ..Columns::default()
        };
        match self {
            Self::Invitation { invitation } => Columns {
                invitation: Some(*invitation),
                params: json!({}),
                ..Columns::default()
            },
            Self::ReadForYou { account, grant } => about(account, grant, json!({})),
            Self::SomethingNew {
                account,
                grant,
                after,
                up_to,
            } => about(account, grant, json!({"after": after, "up_to": up_to})),
            Self::StillReading {
                account,
                grant,
                until,
            } => about(account, grant, json!({"until": until.timestamp()})),
            Self::Reminder {
                account,
                appointment,
                change,
                notice,
            } => Columns {
                account: Some(account.as_uuid()),
                appointment: Some(appointment.as_uuid()),
                params: json!({"change": change, "days": notice.days()}),
                ..Columns::default()
            },
        }
    }
}
