//! Reading cases: from a row to what the ladder's rules look at. Reads only; knows no rule.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    case::{CaseEnd, CaseState},
    circle::ShareKind,
    dispatch::Channel,
    event::ItemRef,
    ladder::{CaseView, Contacts, Plan, Rung, Step, Subject},
    letter::{LetterKind, LetterState},
    person::PostalAddress,
    policy::Policy,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::StoreError;
use super::ladder::PolicyKey;

/// One case with everything a decision, a jump or a message needs. Selected by [`CASE_COLUMNS`].
pub(super) struct CaseRow {
    pub(super) id: Uuid,
    pub(super) trust: Uuid,
    pub(super) patient: Uuid,
    pub(super) letter: Option<Uuid>,
    pub(super) appointment: Option<Uuid>,
    pub(super) policy_version: i32,
    pub(super) state: CaseState,
    pub(super) subject: Subject,
    pub(super) plan: Plan,
    pub(super) climbed: i16,
    pub(super) due_at: DateTime<Utc>,
    pub(super) contacts: Contacts,
    /// As verified, whether it works or not; [`CaseRow::contact`] answers only what may be used.
    email: Option<String>,
    email_verified_at: Option<DateTime<Utc>>,
    mobile: Option<String>,
    mobile_verified_at: Option<DateTime<Utc>>,
    /// Start of the appointment that the case is about, if there is one.
    pub(super) known_by: Option<DateTime<Utc>>,
    /// The tick box of the item, as stored with its events.
    pub(super) share: ShareKind,
    pub(super) restricted: bool,
    pub(super) now: DateTime<Utc>,
}

/// Columns that [`view`] reads for a relation `c` with the columns of `cases`, joined by [`view_joins!`]: a claim
/// reads a hundred cases at a time, so nothing else is in it.
macro_rules! view_columns {
    () => {
        "c.id, c.fence, c.trust_id, c.patient_id, c.policy_version, \
         c.urgent, c.step_rungs, c.step_ats, c.climbed, c.deadline_at, c.promised_at, c.due_at, \
         l.state AS letter_state, \
         a.change > c.appointment_change AS overtaken, a.opened_change >= c.appointment_change AS seen, \
         CASE WHEN p.post_unsafe_since IS NULL THEN p.address_lines ELSE '{}' END AS address_lines, \
         p.deceased_at IS NOT NULL AS deceased, \
         account.email IS NOT NULL AND account.email_verified_at IS NOT NULL AND m.email_choice = 'on' AND NOT EXISTS \
             (SELECT FROM bad_contacts b WHERE (b.patient_id, b.channel, b.contact) = (c.patient_id, 'email', account.email)) \
             AS has_email, \
         account.mobile IS NOT NULL AND account.mobile_verified_at IS NOT NULL AND m.text_choice = 'on' AND NOT EXISTS \
             (SELECT FROM bad_contacts b WHERE (b.patient_id, b.channel, b.contact) = (c.patient_id, 'text', account.mobile)) \
             AS has_mobile"
    };
}

/// Joins for [`view_columns!`].
macro_rules! view_joins {
    () => {
        " JOIN patients p ON p.id = c.patient_id \
          LEFT JOIN letters l ON l.id = c.letter_id \
          LEFT JOIN appointments a ON a.id = c.appointment_id \
          LEFT JOIN memberships m ON m.patient_id = c.patient_id AND m.left_at IS NULL \
          LEFT JOIN accounts account ON account.id = m.account_id AND account.closed_at IS NULL "
    };
}

/// Columns of a [`CaseRow`] for a relation `c` with the columns of `cases`, joined by [`case_joins!`].
macro_rules! case_columns {
    () => {
        concat!(
            $crate::store::case_rows::view_columns!(),
            ", c.letter_id, c.appointment_id, c.end_kind, l.kind AS letter_kind, \
             coalesce(l.restricted, a.restricted) AS restricted, \
             coalesce(a.starts_at, la.starts_at) AS known_by, \
             account.email, account.email_verified_at, account.mobile, account.mobile_verified_at, \
             app_now() AS now"
        )
    };
}

/// Joins for [`case_columns!`].
macro_rules! case_joins {
    () => {
        concat!(
            $crate::store::case_rows::view_joins!(),
            " LEFT JOIN appointments la ON la.id = l.appointment_id "
        )
    };
}

pub(super) use {case_columns, case_joins, view_columns, view_joins};

/// What [`letterbox_domain::ladder::decide`] looks at, for a case that is open. Selected by [`view_columns!`].
pub(super) fn view(row: &Row, policy: &Policy) -> Result<CaseView, StoreError> {
    Ok(CaseView {
        state: CaseState::Open,
        subject: subject(row)?,
        plan: plan(row)?,
        climbed: usize::try_from(row.try_get::<_, i16>("climbed")?).unwrap_or(0),
        due_at: row.try_get("due_at")?,
        contacts: contacts(row)?,
        nudge_hours: policy.nudge_hours,
        recheck_every: recheck(policy),
    })
}

impl CaseRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            trust: row.try_get("trust_id")?,
            patient: row.try_get("patient_id")?,
            letter: row.try_get("letter_id")?,
            appointment: row.try_get("appointment_id")?,
            policy_version: row.try_get("policy_version")?,
            state: state(row)?,
            subject: subject(row)?,
            plan: plan(row)?,
            climbed: row.try_get("climbed")?,
            due_at: row.try_get("due_at")?,
            contacts: contacts(row)?,
            email: row.try_get("email")?,
            email_verified_at: row.try_get("email_verified_at")?,
            mobile: row.try_get("mobile")?,
            mobile_verified_at: row.try_get("mobile_verified_at")?,
            known_by: row.try_get("known_by")?,
            share: share(row)?,
            restricted: row.try_get("restricted")?,
            now: row.try_get("now")?,
        })
    }

    /// The verified address or number for this channel that is not known to be bad; post has none.
    pub(super) fn contact(&self, channel: Channel) -> Option<&str> {
        match channel {
            Channel::Email if self.contacts.email => self.email.as_deref(),
            Channel::Text if self.contacts.text => self.mobile.as_deref(),
            _ => None,
        }
    }

    /// Since when the contact of this channel is the verified one.
    pub(super) const fn verified_at(&self, channel: Channel) -> Option<DateTime<Utc>> {
        match channel {
            Channel::Email => self.email_verified_at,
            Channel::Text => self.mobile_verified_at,
            Channel::Post => None,
        }
    }

    /// The letter or appointment that the case is about.
    pub(super) fn item(&self) -> ItemRef {
        match (self.letter, self.appointment) {
            (Some(letter), _) => ItemRef::Letter(letter.into()),
            (None, appointment) => ItemRef::Appointment(appointment.unwrap_or_default().into()),
        }
    }

    /// Which policy it was published under.
    pub(super) fn policy_key(&self) -> PolicyKey {
        (self.trust, self.policy_version)
    }

    /// What the deterministic keys of this case's effects are made of: the letter, or the case itself.
    pub(super) fn effect_subject(&self) -> Uuid {
        self.letter.unwrap_or(self.id)
    }
}

/// Never zero, whatever a policy says: a case would spin.
fn recheck(policy: &Policy) -> TimeDelta {
    policy.recheck_every().max(TimeDelta::seconds(1))
}

fn state(row: &Row) -> Result<CaseState, StoreError> {
    let Some(kind) = row.try_get::<_, Option<&str>>("end_kind")? else {
        return Ok(CaseState::Open);
    };
    CaseEnd::from_name(kind)
        .map(CaseState::Ended)
        .ok_or_else(|| StoreError::corrupt("cases", "end_kind", "no such end"))
}

fn subject(row: &Row) -> Result<Subject, StoreError> {
    let Some(name) = row.try_get::<_, Option<&str>>("letter_state")? else {
        return Ok(
            if row
                .try_get::<_, Option<bool>>("overtaken")?
                .unwrap_or(false)
            {
                Subject::Withdrawn
            } else if row.try_get::<_, Option<bool>>("seen")?.unwrap_or(false) {
                Subject::Opened
            } else {
                Subject::Unread
            },
        );
    };
    match LetterState::from_name(name) {
        Some(LetterState::Held | LetterState::Published) => Ok(Subject::Unread),
        Some(LetterState::Opened) => Ok(Subject::Opened),
        Some(LetterState::Withdrawn | LetterState::Superseded) => Ok(Subject::Withdrawn),
        None => Err(StoreError::corrupt("letters", "state", "no such state")),
    }
}

fn plan(row: &Row) -> Result<Plan, StoreError> {
    let rungs: Vec<i16> = row.try_get("step_rungs")?;
    let ats: Vec<DateTime<Utc>> = row.try_get("step_ats")?;
    let steps = rungs
        .into_iter()
        .zip(ats)
        .map(|(number, at)| {
            Rung::from_number(number)
                .map(|rung| Step { at, rung })
                .ok_or_else(|| StoreError::corrupt("cases", "step_rungs", "no such rung"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let (deadline, post_at, urgent) = (
        row.try_get("deadline_at")?,
        row.try_get("promised_at")?,
        row.try_get("urgent")?,
    );
    Ok(Plan::stored(steps, deadline, post_at, urgent))
}

/// Nobody is written to who has died: a person at the trust takes over.
fn contacts(row: &Row) -> Result<Contacts, StoreError> {
    let alive = !row.try_get::<_, bool>("deceased")?;
    let lines: Vec<String> = row.try_get("address_lines")?;
    let has = |column| {
        Ok::<_, StoreError>(alive && row.try_get::<_, Option<bool>>(column)?.unwrap_or(false))
    };
    Ok(Contacts {
        email: has("has_email")?,
        text: has("has_mobile")?,
        address: alive && PostalAddress::parse(&lines).is_ok(),
    })
}

/// The tick box that covers the item: its letter's, or appointments.
pub(super) fn share(row: &Row) -> Result<ShareKind, StoreError> {
    let Some(kind) = row.try_get::<_, Option<&str>>("letter_kind")? else {
        return Ok(ShareKind::Appointments);
    };
    LetterKind::from_name(kind)
        .map(LetterKind::share)
        .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))
}

/// The stored form of a plan's steps.
pub(super) fn columns(plan: &Plan) -> (Vec<i16>, Vec<DateTime<Utc>>) {
    plan.steps
        .iter()
        .map(|step| (step.rung.number(), step.at))
        .unzip()
}
