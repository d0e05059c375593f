//! Mailboxes as the actors read them. Never writes a letter or a case; the node's heartbeat is its only write.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use letterbox_actors::ports::{
    Head, Heads, MailboxReader, MailboxSnapshot, NodeId, PortError, PortResult,
};
use letterbox_domain::circle::{Grant, Ticks};
use letterbox_domain::event::Event;
use letterbox_domain::id::{AccountId, GrantId, GrantsVersion, PatientId, Seq};
use letterbox_domain::mailbox::Mailbox;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Principal, Store, StoreError, Tx, events};

const BOX: &str = "SELECT head_seq, grants_version FROM patients WHERE id = $1";

const GRANTS: &str = "
    SELECT id, patient_id, carer_account_id, ticks, may_read_for_me, version
    FROM grants WHERE patient_id = $1 AND revoked_at IS NULL ORDER BY id";

const HEADS: &str = "
    SELECT app_now(), id, head_seq, grants_version FROM (SELECT) AS at_least_one_row LEFT JOIN patients ON id = ANY($1)";

const POLLED: &str = "
    INSERT INTO nodes (id, name, heartbeat_at, polled_from) VALUES ($1, $1::uuid::text, app_now(), $2)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = app_now(), polled_from = $2";

/// How many boxes one question may name; the caller splits longer lists.
const MOST_HEADS: usize = 5_000;

#[async_trait]
impl MailboxReader for Store {
    async fn snapshot(&self, patient: PatientId) -> PortResult<Option<MailboxSnapshot>> {
        let tx = self.begin_snapshot(&Principal::SERVER).await?;
        Ok(snapshot(&tx, patient).await?)
    }

    async fn since(&self, patient: PatientId, after: Seq, limit: u16) -> PortResult<Vec<Event>> {
        let tx = self.begin(&Principal::SERVER).await?;
        Ok(events::since(&tx, patient, after, i64::from(limit)).await?)
    }

    async fn heads(&self, node: NodeId, patients: &[PatientId]) -> PortResult<Heads> {
        if patients.len() > MOST_HEADS {
            return Err(PortError::Corrupt(format!(
                "{} boxes asked for at once",
                patients.len()
            )));
        }
        // Carers' views hang on this answer, so it never queues behind page requests.
        let tx = self
            .scheduler()
            .begin(&Principal::Node { node: node.0 })
            .await?;
        let ids: Vec<Uuid> = patients.iter().map(PatientId::as_uuid).collect();
        let rows = tx.query(HEADS, &[&ids]).await?;
        let began = rows.first().map(|row| row.get(0));
        Ok(Heads {
            began: began.ok_or_else(|| StoreError::corrupt("patients", "id", "no row at all"))?,
            heads: rows.iter().filter_map(head).collect(),
        })
    }

    async fn polled(&self, node: NodeId, began: DateTime<Utc>) -> PortResult<()> {
        let tx = self
            .scheduler()
            .begin(&Principal::Node { node: node.0 })
            .await?;
        tx.execute(POLLED, &[&node.0, &began]).await?;
        Ok(tx.commit().await?)
    }
}

fn head(row: &Row) -> Option<Head> {
    Some(Head {
        patient: PatientId::from(row.get::<_, Option<Uuid>>(1)?),
        seq: Seq(row.get(2)),
        grants_version: GrantsVersion(row.get(3)),
    })
}

/// The fold of the mailbox's own events, so that a rebuilt mailbox equals one that heard them all.
async fn snapshot(tx: &Tx, patient: PatientId) -> Result<Option<MailboxSnapshot>, StoreError> {
    let Some(row) = tx.query_opt(BOX, &[&patient.as_uuid()]).await? else {
        return Ok(None);
    };
    let head = Seq(row.get(0));
    let log = events::since(tx, patient, Seq::START, i64::MAX).await?;
    let mailbox = Mailbox::replay(&log);
    if mailbox.head() != head {
        return Err(StoreError::corrupt(
            "events",
            "seq",
            format!("mailbox {patient} has a gap"),
        ));
    }
    Ok(Some(MailboxSnapshot {
        patient,
        head,
        grants_version: GrantsVersion(row.get(1)),
        grants: grants(tx, patient).await?,
        items: mailbox.items().to_vec(),
    }))
}

async fn grants(tx: &Tx, patient: PatientId) -> Result<Vec<Grant>, StoreError> {
    let rows = tx.query(GRANTS, &[&patient.as_uuid()]).await?;
    rows.iter().map(grant).collect()
}

fn grant(row: &Row) -> Result<Grant, StoreError> {
    let ticks: Vec<&str> = row.get("ticks");
    Ok(Grant {
        id: GrantId::from(row.get::<_, Uuid>("id")),
        patient: PatientId::from(row.get::<_, Uuid>("patient_id")),
        carer: AccountId::from(row.get::<_, Uuid>("carer_account_id")),
        ticks: Ticks::from_names(ticks)
            .map_err(|error| StoreError::corrupt("grants", "ticks", error))?,
        may_read_for_me: row.get("may_read_for_me"),
        version: GrantsVersion(row.get("version")),
    })
}

impl From<StoreError> for PortError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { .. } => Self::Corrupt(error.to_string()),
            other => Self::unavailable(other),
        }
    }
}
