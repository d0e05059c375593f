//! Whom a patient shares with.

use chrono::{DateTime, Utc};
use letterbox_domain::circle::Ticks;
use letterbox_domain::id::{AccountId, GrantId, PatientId};
use uuid::Uuid;

use crate::store::{StoreError, Tx};

/// One carer as the patient sees them.
#[derive(Clone)]
pub struct CarerView {
    pub id: GrantId,
    pub account: AccountId,
    pub name: String,
    pub relationship: String,
    pub ticks: Ticks,
    pub may_read_for_me: bool,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for CarerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CarerView")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The patient's carers, also those whose access has been withdrawn.
///
/// # Errors
/// Any [`StoreError`].
pub async fn carers(tx: &Tx, patient: PatientId) -> Result<Vec<CarerView>, StoreError> {
    let sql = "
        SELECT g.id, g.carer_account_id, a.display_name, g.relationship, g.ticks, g.may_read_for_me, g.revoked_at
        FROM grants g JOIN accounts a ON a.id = g.carer_account_id
        WHERE g.patient_id = $1 ORDER BY g.created_at, g.id";
    let rows = tx.query(sql, &[&patient.as_uuid()]).await?;
    rows.iter()
        .map(|row| {
            let ticks: Vec<&str> = row.get("ticks");
            Ok(CarerView {
                id: GrantId::from(row.get::<_, Uuid>("id")),
                account: AccountId::from(row.get::<_, Uuid>("carer_account_id")),
                name: row.get("display_name"),
                relationship: row.get("relationship"),
                ticks: Ticks::from_names(ticks)
                    .map_err(|error| StoreError::corrupt("grants", "ticks", error))?,
                may_read_for_me: row.get("may_read_for_me"),
                revoked_at: row.get("revoked_at"),
            })
        })
        .collect()
}
