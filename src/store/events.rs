//! What happened in mailboxes, in order. Numbers are taken under the patients' row locks, so they have no gaps,
//! and each event leaves its wake-up in the outbox in the same commit.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use letterbox_domain::circle::ShareKind;
use letterbox_domain::event::{Event, EventKind, ItemRef};
use letterbox_domain::id::{AppointmentId, EventId, LetterId, PatientId, Seq};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{StoreError, Tx};

const LOCK: &str = "
    SELECT id, head_seq, app_now() AS now FROM patients WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";

const WRITE: &str = "
    WITH raised AS (
        UPDATE patients SET head_seq = raised.head
        FROM unnest($1::uuid[], $2::bigint[]) AS raised (id, head)
        WHERE patients.id = raised.id
    ), born AS (
        INSERT INTO events (patient_id, seq, id, kind, letter_id, appointment_id, share, restricted, at, due_at)
        SELECT * FROM unnest($3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::uuid[], $8::uuid[], $9::text[],
                             $10::boolean[], $11::timestamptz[], $12::timestamptz[])
        RETURNING patient_id, seq
    )
    INSERT INTO outbox (patient_id, seq) SELECT patient_id, seq FROM born";

const SINCE: &str = "
    SELECT patient_id, seq, id, kind, letter_id, appointment_id, share, restricted, at, due_at
    FROM events WHERE patient_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// Something that is about to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose mailbox.
    pub patient: PatientId,
    /// What.
    pub kind: EventKind,
    /// To which item.
    pub item: ItemRef,
    /// The tick box that covers it.
    pub share: ShareKind,
    /// Of a sensitive specialty.
    pub restricted: bool,
    /// When we will post the item unless it is opened.
    pub due: Option<DateTime<Utc>>,
}

/// Mailboxes whose rows this transaction holds, and the transaction's time.
#[derive(Clone, Debug)]
pub struct Locked {
    /// The database's time of this transaction.
    pub now: DateTime<Utc>,
    heads: BTreeMap<PatientId, Seq>,
}

impl Locked {
    /// From what a locking query brought.
    pub(super) fn new(now: DateTime<Utc>, heads: BTreeMap<PatientId, Seq>) -> Self {
        Self { now, heads }
    }

    /// Gives each its number. Events of one patient are numbered in the order given.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a patient whose row is not held: numbers would then not be gapless.
    pub fn number(&mut self, news: &[NewEvent]) -> Result<Vec<Event>, StoreError> {
        news.iter().map(|new| self.number_one(new)).collect()
    }

    fn number_one(&mut self, new: &NewEvent) -> Result<Event, StoreError> {
        let head = self.heads.get_mut(&new.patient).ok_or_else(|| {
            StoreError::corrupt("patients", "id", format!("{} is not locked", new.patient))
        })?;
        *head = head.next();
        Ok(Event {
            id: EventId::random(),
            patient: new.patient,
            seq: *head,
            kind: new.kind,
            item: new.item,
            share: new.share,
            restricted: new.restricted,
            at: self.now,
            due: new.due,
        })
    }
}

/// Locks the patients' rows in the order of their ids, which every transaction keeps to.
///
/// # Errors
/// Any [`StoreError`]; patients who do not exist are absent from the answer.
pub async fn lock(tx: &Tx, patients: &[PatientId]) -> Result<Option<Locked>, StoreError> {
    let ids: Vec<Uuid> = patients.iter().map(PatientId::as_uuid).collect();
    let rows = tx.query(LOCK, &[&ids]).await?;
    let heads = rows
        .iter()
        .map(|row| (PatientId::from(row.get::<_, Uuid>(0)), Seq(row.get(1))))
        .collect();
    Ok(rows.first().map(|row| Locked::new(row.get(2), heads)))
}

/// Locks, numbers and writes. Events of one patient are numbered in the order given.
///
/// # Errors
/// [`StoreError::Corrupt`] when a patient does not exist.
pub async fn append(tx: &Tx, news: &[NewEvent]) -> Result<Vec<Event>, StoreError> {
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let patients: Vec<PatientId> = news.iter().map(|new| new.patient).collect();
    let mut locked = lock(tx, &patients).await?.ok_or_else(|| {
        StoreError::corrupt("patients", "id", "none of the events' patients exists")
    })?;
    let events = locked.number(news)?;
    write(tx, &events).await?;
    Ok(events)
}

/// Prepares [`write()`], so that it leaves at its first poll.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    tx.prepared(WRITE).await.map(drop)
}

/// Writes numbered events, their mailboxes' heads and their wake-ups. The mailboxes' rows must be held.
///
/// # Errors
/// Any [`StoreError`].
pub async fn write(tx: &Tx, events: &[Event]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let heads = heads_after(events);
    let (ids, seqs): (Vec<Uuid>, Vec<i64>) = heads
        .iter()
        .map(|(id, seq)| (id.as_uuid(), seq.get()))
        .unzip();
    let columns = Columns::of(events);
    tx.execute(
        WRITE,
        &[
            &ids,
            &seqs,
            &columns.patients,
            &columns.seqs,
            &columns.ids,
            &columns.kinds,
            &columns.letters,
            &columns.appointments,
            &columns.shares,
            &columns.restricted,
            &columns.ats,
            &columns.dues,
        ],
    )
    .await?;
    Ok(())
}

fn heads_after(events: &[Event]) -> BTreeMap<PatientId, Seq> {
    let mut heads = BTreeMap::new();
    for event in events {
        let head = heads.entry(event.patient).or_insert(event.seq);
        *head = event.seq.max(*head);
    }
    heads
}

#[derive(Default)]
struct Columns {
    patients: Vec<Uuid>,
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    kinds: Vec<&'static str>,
    letters: Vec<Option<Uuid>>,
    appointments: Vec<Option<Uuid>>,
    shares: Vec<&'static str>,
    restricted: Vec<bool>,
    ats: Vec<DateTime<Utc>>,
    dues: Vec<Option<DateTime<Utc>>>,
}

impl Columns {
    fn of(events: &[Event]) -> Self {
        let mut columns = Self::default();
        for event in events {
            let (letter, appointment) = match event.item {
                ItemRef::Letter(id) => (Some(id.as_uuid()), None),
                ItemRef::Appointment(id) => (None, Some(id.as_uuid())),
            };
            columns.patients.push(event.patient.as_uuid());
            columns.seqs.push(event.seq.get());
            columns.ids.push(event.id.as_uuid());
            columns.kinds.push(event.kind.name());
            columns.letters.push(letter);
            columns.appointments.push(appointment);
            columns.shares.push(event.share.name());
            columns.restricted.push(event.restricted);
            columns.ats.push(event.at);
            columns.dues.push(event.due);
        }
        columns
    }
}

/// Events after `after`, ascending, at most `limit`.
///
/// # Errors
/// [`StoreError::Corrupt`] when a row cannot be understood.
pub async fn since(
    tx: &Tx,
    patient: PatientId,
    after: Seq,
    limit: i64,
) -> Result<Vec<Event>, StoreError> {
    let rows = tx
        .query(SINCE, &[&patient.as_uuid(), &after.get(), &limit])
        .await?;
    rows.iter().map(read).collect()
}

/// An event from the columns of [`SINCE`], by name.
pub(super) fn read(row: &Row) -> Result<Event, StoreError> {
    let kind: &str = row.get("kind");
    let share: &str = row.get("share");
    let letter = row
        .get::<_, Option<Uuid>>("letter_id")
        .map(|id| ItemRef::Letter(LetterId::from(id)));
    let appointment = row
        .get::<_, Option<Uuid>>("appointment_id")
        .map(|id| ItemRef::Appointment(AppointmentId::from(id)));
    Ok(Event {
        id: EventId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        seq: Seq(row.get("seq")),
        kind: EventKind::from_name(kind).ok_or_else(|| unknown("kind", kind))?,
        item: letter
            .or(appointment)
            .ok_or_else(|| unknown("letter_id", "nothing"))?,
        share: ShareKind::from_name(share).ok_or_else(|| unknown("share", share))?,
        restricted: row.get("restricted"),
        at: row.get("at"),
        due: row.get("due_at"),
    })
}

fn unknown(column: &'static str, name: &str) -> StoreError {
    StoreError::corrupt("events", column, format!("\"{name}\" is not known here"))
}
