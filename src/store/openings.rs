//! Opening: what may be handed to whom, and the moment from which it counts as read. Locks mailbox, then cases,
//! then the item, like everybody.
//!
//! Never called for a list, a letter's page, a HEAD, a prefetch or a socket: only for a form sent by a signed-in person.

use bytes::Bytes;
use letterbox_domain::{
    case::{CaseEnd, Ending},
    circle::{ShareKind, Viewer},
    event::{Event, EventKind, ItemRef},
    id::{AccountId, AppointmentId, LetterId, PatientId},
    letter::{LetterKind, LetterState},
    person::Email,
};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::audit::{self, Seen};
use super::case_commit::entry;
use super::case_rows::CaseRow;
use super::events::NewEvent;
use super::mails::{self, MailKind, NewMail, To};
use super::{Principal, StoreError, Tx, circle, endings, events, history, locks};

/// A letter as far as opening it is concerned.
#[derive(Clone, Debug)]
pub struct Openable {
    /// The letter.
    pub letter: LetterId,
    /// Its trust.
    pub trust: Uuid,
    /// Whose it is.
    pub patient: PatientId,
    /// Its file.
    pub document: Uuid,
    /// How it stands.
    pub state: LetterState,
    /// Its tick box.
    pub share: ShareKind,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// Hidden from the circle of care.
    pub hidden: bool,
    /// The patient has said that it is not theirs: nobody reads it.
    pub not_mine: bool,
}

const LETTER: &str = "
    SELECT id, trust_id, patient_id, document_id, state, kind, restricted, hidden_at IS NOT NULL AS hidden,
           not_mine_at IS NOT NULL AS not_mine
    FROM letters WHERE id = $1";

/// The letter, if it exists.
///
/// # Errors
/// Any [`StoreError`].
pub async fn openable(tx: &Tx, letter: LetterId) -> Result<Option<Openable>, StoreError> {
    let row = tx.query_opt(LETTER, &[&letter.as_uuid()]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Openable, StoreError> {
    let kind = LetterKind::from_name(row.try_get("kind")?);
    let state = LetterState::from_name(row.try_get("state")?);
    Ok(Openable {
        letter: row.try_get::<_, Uuid>("id")?.into(),
        trust: row.try_get("trust_id")?,
        patient: row.try_get::<_, Uuid>("patient_id")?.into(),
        document: row.try_get("document_id")?,
        state: state.ok_or_else(|| StoreError::corrupt("letters", "state", "no such state"))?,
        share: kind
            .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))?
            .share(),
        restricted: row.try_get("restricted")?,
        hidden: row.try_get("hidden")?,
        not_mine: row.try_get("not_mine")?,
    })
}

/// Writes down that this account asked for an item whose row the policies keep from it; nothing for one that is not.
///
/// # Errors
/// Any [`StoreError`].
pub async fn refused(
    tx: &Tx,
    account: AccountId,
    action: &'static str,
    item: ItemRef,
) -> Result<(), StoreError> {
    const LETTER: &str = "
        INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
        SELECT $1, trust_id, patient_id, $3, 'letter', $2, false FROM whose_letter($2)";
    const APPOINTMENT: &str = "
        INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
        SELECT $1, trust_id, patient_id, $3, 'appointment', $2, false FROM whose_appointment($2)";
    let write = match item {
        ItemRef::Letter(_) => LETTER,
        ItemRef::Appointment(_) => APPOINTMENT,
    };
    let params: super::Params<'_> = &[&account.as_uuid(), &item.as_uuid(), &action];
    tx.execute(write, params).await.map(drop)
}

/// Uses a nonce up; `false` if that has happened before.
///
/// # Errors
/// Any [`StoreError`].
pub async fn use_nonce(tx: &Tx, nonce_sha256: &[u8; 32]) -> Result<bool, StoreError> {
    const USE: &str = "INSERT INTO used_nonces (nonce_sha256) VALUES ($1) ON CONFLICT DO NOTHING";
    Ok(tx.execute(USE, &[&nonce_sha256.as_slice()]).await? == 1)
}

/// The file.
///
/// # Errors
/// Any [`StoreError`].
pub async fn content(tx: &Tx, document: Uuid) -> Result<Bytes, StoreError> {
    let row = tx
        .query_one("SELECT content FROM documents WHERE id = $1", &[&document])
        .await?;
    Ok(Bytes::from(row.try_get::<_, Vec<u8>>(0)?))
}

/// The letter's full text, where the trust gave one.
///
/// # Errors
/// Any [`StoreError`].
pub async fn full_text(tx: &Tx, letter: LetterId) -> Result<Option<String>, StoreError> {
    let row = tx
        .query_one(
            "SELECT full_text FROM letters WHERE id = $1",
            &[&letter.as_uuid()],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// What opening changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The viewer may not open it (any more): nothing was written.
    Forbidden,
    /// It was open already, or has been withdrawn meanwhile.
    Unchanged,
    /// It is opened now.
    Opened(Vec<Event>),
}

const OPEN_LETTER: &str = "
    UPDATE letters SET state = 'opened', opened_at = app_now(), opened_by_account_id = $2
    WHERE id = $1 AND state = 'published' AND not_mine_at IS NULL";

const CASES_OF_LETTER: &str = "SELECT id FROM cases WHERE letter_id = $1";

/// The whole letter has been handed over: it is opened, once, and its case ends unless something else ended it.
///
/// # Errors
/// Any [`StoreError`].
pub async fn open_letter(
    tx: &Tx,
    account: AccountId,
    letter: LetterId,
) -> Result<Opening, StoreError> {
    let Some(found) = openable(tx, letter).await? else {
        return Ok(Opening::Forbidden);
    };
    locks::patients(tx, &[found.patient.as_uuid()]).await?;
    // Read again under the lock: a grant withdrawn meanwhile does not count any more.
    let viewer = circle::viewer(tx, account, found.patient).await?;
    let found = openable(tx, letter).await?.unwrap_or(found);
    let viewer =
        viewer.filter(|viewer| viewer.may_open(found.share, found.restricted, found.hidden));
    let Some(viewer) = viewer else {
        return Ok(Opening::Forbidden);
    };
    let cases = locked_cases(tx, CASES_OF_LETTER, letter.as_uuid()).await?;
    if tx
        .execute(OPEN_LETTER, &[&letter.as_uuid(), &account.as_uuid()])
        .await?
        == 0
    {
        return Ok(Opening::Unchanged);
    }
    let actor = Principal::Account { account };
    end_cases(tx, &actor, &cases).await?;
    tell_the_patient(tx, &viewer, letter.as_uuid(), 1).await?;
    let item = Item {
        item: ItemRef::Letter(letter),
        kind: EventKind::LetterOpened,
        share: found.share,
        restricted: found.restricted,
    };
    item.tell(tx, &actor, found.trust, found.patient)
        .await
        .map(Opening::Opened)
}

const APPOINTMENT: &str = "
    SELECT id, trust_id, patient_id, restricted, hidden_at IS NOT NULL AS hidden FROM appointments WHERE id = $1";

const OPEN_APPOINTMENT: &str = "
    UPDATE appointments SET opened_change = change, opened_at = app_now() WHERE id = $1 AND opened_change < change
    RETURNING change";

const CASES_OF_APPOINTMENT: &str =
    "SELECT id FROM cases WHERE appointment_id = $1 AND ended_at IS NULL";

/// The details of an appointment, as they now stand, have been shown.
///
/// # Errors
/// Any [`StoreError`].
pub async fn open_appointment(
    tx: &Tx,
    account: AccountId,
    appointment: AppointmentId,
) -> Result<Opening, StoreError> {
    let id = appointment.as_uuid();
    let item = ItemRef::Appointment(appointment);
    let Some(row) = tx.query_opt(APPOINTMENT, &[&id]).await? else {
        refused(tx, account, "appointment.open", item).await?;
        return Ok(Opening::Forbidden);
    };
    let patient: Uuid = row.try_get("patient_id")?;
    locks::patients(tx, &[patient]).await?;
    let row = tx.query_one(APPOINTMENT, &[&id]).await?;
    let (restricted, hidden) = (row.try_get("restricted")?, row.try_get("hidden")?);
    let viewer = circle::viewer(tx, account, patient.into()).await?;
    let viewer = viewer.filter(|viewer| viewer.sees(ShareKind::Appointments, restricted, hidden));
    let trust = row.try_get("trust_id")?;
    let look = Look {
        account,
        trust,
        patient: patient.into(),
        action: "appointment.open",
        item,
    };
    seen(tx, &look, viewer.is_some()).await?;
    let Some(viewer) = viewer else {
        return Ok(Opening::Forbidden);
    };
    if !viewer.may_open(ShareKind::Appointments, restricted, hidden) {
        return Ok(Opening::Unchanged); // A carer's look is recorded as theirs.
    }
    let cases = locked_cases(tx, CASES_OF_APPOINTMENT, id).await?;
    let Some(opened) = tx.query_opt(OPEN_APPOINTMENT, &[&id]).await? else {
        return Ok(Opening::Unchanged);
    };
    let actor = Principal::Account { account };
    end_cases(tx, &actor, &cases).await?;
    tell_the_patient(tx, &viewer, id, opened.try_get(0)?).await?;
    let item = Item {
        item: ItemRef::Appointment(appointment),
        kind: EventKind::AppointmentOpened,
        share: ShareKind::Appointments,
        restricted,
    };
    item.tell(tx, &actor, trust, patient.into())
        .await
        .map(Opening::Opened)
}

const PATIENTS_ACCOUNT: &str = "
    SELECT a.id, a.email, app_now() FROM memberships m JOIN accounts a ON a.id = m.account_id
    WHERE m.patient_id = $1 AND m.left_at IS NULL AND a.email_verified_at IS NOT NULL AND a.closed_at IS NULL";

/// "May read for me" was used: the patient hears of it by email, in the same commit.
async fn tell_the_patient(
    tx: &Tx,
    viewer: &Viewer,
    item: Uuid,
    change: i32,
) -> Result<(), StoreError> {
    let Viewer::Carer(grant) = viewer else {
        return Ok(());
    };
    let patient = grant.patient.as_uuid();
    let Some(row) = tx.query_opt(PATIENTS_ACCOUNT, &[&patient]).await? else {
        return Ok(());
    };
    let Ok(to) = Email::parse(row.try_get("email")?) else {
        return Ok(()); // The line on the item says it all the same.
    };
    let mail = NewMail {
        id: mails::effect_id(item, &format!("read-for-you/{change}")),
        kind: MailKind::ReadForYou {
            account: row.try_get::<_, Uuid>(0)?.into(),
            grant: grant.id,
        },
        to: To::Email(&to),
        due_at: row.try_get(2)?,
    };
    mails::queue(tx, &mail).await.map(drop)
}

async fn locked_cases(tx: &Tx, of: &'static str, item: Uuid) -> Result<Vec<CaseRow>, StoreError> {
    let rows = tx.query(of, &[&item]).await?;
    let ids = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<Vec<Uuid>, _>>()?;
    locks::cases(tx, &ids).await
}

async fn end_cases(tx: &Tx, actor: &Principal, cases: &[CaseRow]) -> Result<(), StoreError> {
    for case in cases {
        let facts = match case.state.hears(CaseEnd::Opened, true) {
            Ending::Ends(end) => {
                endings::end(tx, &[case.id.into()], end, None).await?;
                json!({"ends": true})
            }
            Ending::Noted(annotation) => json!({"noted": annotation.name()}),
            Ending::Known => continue,
        };
        history::append(tx, actor, &[entry(case, "case.opened", facts)]).await?;
    }
    Ok(())
}

struct Item {
    item: ItemRef,
    kind: EventKind,
    share: ShareKind,
    restricted: bool,
}

impl Item {
    /// History and the mailbox's event.
    async fn tell(
        &self,
        tx: &Tx,
        actor: &Principal,
        trust: Uuid,
        patient: PatientId,
    ) -> Result<Vec<Event>, StoreError> {
        let written = history::Entry {
            trust,
            patient: Some(patient.as_uuid()),
            subject_kind: self.item.kind_name(),
            subject: self.item.as_uuid(),
            kind: self.kind.name(),
            policy_version: None,
            facts: json!({}),
        };
        history::append(tx, actor, &[written]).await?;
        let event = NewEvent {
            patient,
            kind: self.kind,
            item: self.item,
            share: self.share,
            restricted: self.restricted,
            due: None,
        };
        events::append(tx, &[event]).await
    }
}

/// Somebody's look at an item, for the audit.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Who.
    pub account: AccountId,
    /// Whose trust.
    pub trust: Uuid,
    /// Whose item.
    pub patient: PatientId,
    /// `letter.view`, `appointment.open` …
    pub action: &'static str,
    /// What.
    pub item: ItemRef,
}

/// One row of audit before the first byte, for refusals too.
///
/// # Errors
/// Any [`StoreError`].
pub async fn seen(tx: &Tx, look: &Look, allowed: bool) -> Result<(), StoreError> {
    let seen = Seen {
        account: Some(look.account),
        trust: Some(look.trust.into()),
        patient: Some(look.patient),
        action: look.action,
        object_kind: look.item.kind_name(),
        object: Some(look.item.as_uuid()),
        allowed,
        request: None,
    };
    audit::write(tx, &seen).await
}

/// Whether this viewer may be handed the letter's content now, and whether that counts as reading.
#[must_use]
pub fn rights(viewer: &Viewer, letter: &Openable) -> Option<bool> {
    let (share, restricted, hidden) = (letter.share, letter.restricted, letter.hidden);
    match letter.state {
        _ if letter.not_mine => None,
        LetterState::Published if viewer.may_open(share, restricted, hidden) => Some(true),
        LetterState::Opened if viewer.sees(share, restricted, hidden) => Some(false),
        _ => None,
    }
}
