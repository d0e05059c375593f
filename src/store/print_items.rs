//! The envelopes of a batch: address and document as they are at the cut-off, or the reason why there is none.
//! Nothing here is printed twice: a subject's version that was in a batch before is not even looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::try_join_all;
use letterbox_actors::ports::Postage;
use letterbox_domain::{ladder::Subject, person::PostalAddress, time::Wait};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use super::case_rows::CaseRow;
use super::ladder::{LadderStore, NoticeChange, NoticeFacts};
use super::print::Closing;
use super::{StoreError, Tx, tasks};

/// Read after the cases are locked, so it sees every opening that was committed before. A format that the patient chose
/// outlives the account: what is posted because somebody leaves must be readable too.
const ITEMS: &str = "
    SELECT d.id, d.case_id, d.attempt, l.id AS letter_id, l.version, l.document_id,
           p.given_name, p.family_name, p.address_lines,
           nullif(coalesce(m.format_choice, p.format_need), 'standard') AS format_need,
           a.state AS appointment_state, a.change, a.starts_at, a.clinic, a.location, a.contact_phone, a.contact_hours,
           a.instructions, d.asked_at IS NOT NULL AND l.not_mine_at IS NULL AS asked
    FROM dispatches d JOIN cases c ON c.id = d.case_id JOIN patients p ON p.id = d.patient_id
    LEFT JOIN memberships m ON m.patient_id = p.id
    LEFT JOIN letters l ON l.id = c.letter_id LEFT JOIN appointments a ON a.id = c.appointment_id
    WHERE d.id = ANY($1) AND d.state = 'queued'
      AND NOT EXISTS (SELECT FROM print_items i WHERE i.subject_id = coalesce(l.id, c.id) AND i.version = coalesce(l.version, 1))
    ORDER BY d.id FOR UPDATE OF d";

const INSERT_ITEM: &str = "
    INSERT INTO print_items (batch_id, dispatch_id, subject_id, version, document_id, address_lines, format_need, postage)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const DOCUMENT: &str = "
    INSERT INTO documents (id, trust_id, sha256, pages, size_bytes, content) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (trust_id, sha256) DO UPDATE SET pages = documents.pages RETURNING id";

/// One envelope about to be frozen.
pub(super) struct Item {
    pub(super) dispatch: Uuid,
    pub(super) case: Uuid,
    pub(super) subject: Uuid,
    pub(super) version: i32,
    pub(super) document: Uuid,
    pub(super) address_lines: Vec<String>,
    pub(super) format_need: Option<String>,
    pub(super) postage: Postage,
}

/// Why an item is not printed.
pub(super) struct Left {
    pub(super) dispatch: Uuid,
    pub(super) case: Uuid,
    pub(super) code: &'static str,
    pub(super) kind: tasks::Kind,
    /// The patient asked for it: somebody must say that it does not come.
    pub(super) asked: bool,
}

/// The queued post among these dispatches, under lock.
pub(super) async fn queued(tx: &Tx, dispatches: &[Uuid]) -> Result<Vec<Row>, StoreError> {
    tx.query(ITEMS, &[&dispatches]).await
}

impl LadderStore {
    /// One envelope, or why it stays behind.
    pub(super) async fn item(
        &self,
        tx: &Tx,
        closing: &Closing,
        cases: &BTreeMap<Uuid, CaseRow>,
        row: &Row,
    ) -> Result<Result<Item, Left>, StoreError> {
        let (dispatch, case_id): (Uuid, Uuid) = (row.try_get("id")?, row.try_get("case_id")?);
        let asked: bool = row.try_get("asked")?;
        let left = |code, kind| {
            Ok(Err(Left {
                dispatch,
                case: case_id,
                code,
                kind,
                asked,
            }))
        };
        let wanted = cases.get(&case_id).filter(|case| {
            (case.state.is_open() && case.subject == Subject::Unread)
                || (asked && case.subject != Subject::Withdrawn)
        });
        let Some(case) = wanted else {
            return left("not_wanted", tasks::Kind::Phone);
        };
        let lines: Vec<String> = row.try_get("address_lines")?;
        // Contacts say no address for the dead, whatever lines are stored.
        let Some(address) = PostalAddress::parse(&lines)
            .ok()
            .filter(|_| case.contacts.address)
        else {
            return left("no_address", tasks::Kind::NoAddress);
        };
        let name = format!(
            "{} {}",
            row.try_get::<_, &str>("given_name")?,
            row.try_get::<_, &str>("family_name")?
        );
        let document = match row.try_get::<_, Option<Uuid>>("document_id")? {
            Some(document) => document,
            None => match self
                .notice(tx, closing, row, &name, address.lines())
                .await?
            {
                Some(document) => document,
                None => return left("no_notice", tasks::Kind::Phone),
            },
        };
        let mut address_lines = vec![name];
        address_lines.extend_from_slice(address.lines());
        Ok(Ok(Item {
            dispatch,
            case: case_id,
            subject: case.effect_subject(),
            version: row.try_get::<_, Option<i32>>("version")?.unwrap_or(1),
            document,
            address_lines,
            format_need: row.try_get("format_need")?,
            postage: self.postage(closing.cut_off, case.known_by),
        }))
    }

    /// Second class where it leaves the patient two working days' notice in the worst case, first class otherwise.
    /// In the print house's model second class arrives six working days after its hand-over at the latest.
    fn postage(&self, cut_off: DateTime<Utc>, known_by: Option<DateTime<Utc>>) -> Postage {
        let second_is_in_time = Wait::working_days(6 + 2).after(cut_off, &self.calendars);
        if known_by.is_some_and(|start| start < second_is_in_time) {
            Postage::First
        } else {
            Postage::Second
        }
    }

    /// The paper notice of an appointment's change, kept like any other document.
    async fn notice(
        &self,
        tx: &Tx,
        closing: &Closing,
        row: &Row,
        name: &str,
        address_lines: &[String],
    ) -> Result<Option<Uuid>, StoreError> {
        let cancelled = row.try_get::<_, &str>("appointment_state")? == "cancelled";
        let moved = row.try_get::<_, i32>("change")? > 1;
        let facts = NoticeFacts {
            trust: closing.name.clone(),
            clinic: row.try_get("clinic")?,
            phone: row.try_get("contact_phone")?,
            hours: row.try_get("contact_hours")?,
            name: name.to_owned(),
            address_lines: address_lines.to_vec(),
            large_print: row.try_get::<_, Option<&str>>("format_need")? == Some("large_print"),
            dated: closing.now,
            change: match (cancelled, moved) {
                (true, _) => NoticeChange::Cancelled,
                (false, true) => NoticeChange::Moved,
                (false, false) => NoticeChange::Booked,
            },
            starts_at: row.try_get("starts_at")?,
            location: row.try_get("location")?,
            instructions: row.try_get("instructions")?,
        };
        let notices = Arc::clone(&self.notices);
        let made = tokio::task::spawn_blocking(move || notices.make(&facts)).await;
        let made = match made.unwrap_or_else(|panicked| Err(panicked.to_string())) {
            Ok(made) => made,
            Err(error) => {
                tracing::error!(case = %row.try_get::<_, Uuid>("case_id")?, error, "no paper notice could be made");
                return Ok(None);
            }
        };
        let sha256 = Sha256::digest(&made.pdf).to_vec();
        let size = i32::try_from(made.pdf.len())
            .map_err(|_| StoreError::corrupt("documents", "size_bytes", "too large"))?;
        let params: super::Params<'_> = &[
            &Uuid::now_v7(),
            &closing.trust,
            &sha256,
            &made.pages,
            &size,
            &made.pdf,
        ];
        Ok(Some(tx.query_one(DOCUMENT, params).await?.try_get(0)?))
    }
}

/// In one flight: the patients are locked meanwhile.
pub(super) async fn insert(tx: &Tx, batch: Uuid, items: &[Item]) -> Result<(), StoreError> {
    let insert = tx.prepared(INSERT_ITEM).await?;
    let writing = items.iter().map(async |item| {
        let params: super::Params<'_> = &[
            &batch,
            &item.dispatch,
            &item.subject,
            &item.version,
            &item.document,
            &item.address_lines,
            &item.format_need,
            &item.postage.as_str(),
        ];
        tx.execute_prepared(&insert, params).await
    });
    try_join_all(writing).await.map(drop)
}
