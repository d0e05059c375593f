//! "Hide from my circle of care", item by item. The patient only; a hidden item leaves every carer's page at once.

use letterbox_domain::{
    circle::ShareKind,
    event::{Event, EventKind, ItemRef},
    id::{AccountId, PatientId},
    letter::LetterKind,
};
use serde_json::json;
use uuid::Uuid;

use super::events::NewEvent;
use super::{Principal, Store, StoreError, Tx, circle, events, history, locks};

const LETTER: &str =
    "SELECT trust_id, patient_id, kind, restricted FROM letters WHERE id = $1 AND state <> 'held'";
const APPOINTMENT: &str =
    "SELECT trust_id, patient_id, NULL AS kind, restricted FROM appointments WHERE id = $1";

const HIDE_LETTER: &str = "
    UPDATE letters SET hidden_at = CASE WHEN $2 THEN app_now() END
    WHERE id = $1 AND (hidden_at IS NULL) = $2 AND not_mine_at IS NULL";
const HIDE_APPOINTMENT: &str = "
    UPDATE appointments SET hidden_at = CASE WHEN $2 THEN app_now() END WHERE id = $1 AND (hidden_at IS NULL) = $2";

impl Store {
    /// Hides an item from the patient's carers, or shows it again; `None` for anybody but the patient.
    /// Nothing happens where it is so already.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn hide(
        &self,
        account: AccountId,
        item: ItemRef,
        hidden: bool,
    ) -> Result<Option<Vec<Event>>, StoreError> {
        let actor = Principal::Account { account };
        self.run("items.hide", &actor, |tx| hide(tx, account, item, hidden))
            .await
    }
}

async fn hide(
    tx: Tx,
    account: AccountId,
    item: ItemRef,
    hidden: bool,
) -> Result<Option<Vec<Event>>, StoreError> {
    let (find, write) = match item {
        ItemRef::Letter(_) => (LETTER, HIDE_LETTER),
        ItemRef::Appointment(_) => (APPOINTMENT, HIDE_APPOINTMENT),
    };
    let Some(row) = tx.query_opt(find, &[&item.as_uuid()]).await? else {
        return Ok(None);
    };
    let patient: PatientId = row.try_get::<_, Uuid>("patient_id")?.into();
    if !circle::viewer(&tx, account, patient)
        .await?
        .is_some_and(|viewer| viewer.is_patient())
    {
        return Ok(None);
    }
    locks::patients(&tx, &[patient.as_uuid()]).await?;
    if tx.execute(write, &[&item.as_uuid(), &hidden]).await? == 0 {
        return Ok(Some(Vec::new()));
    }
    let share = match row.try_get::<_, Option<&str>>("kind")? {
        None => ShareKind::Appointments,
        Some(kind) => LetterKind::from_name(kind)
            .map(LetterKind::share)
            .ok_or_else(|| StoreError::corrupt("letters", "kind", "no such kind"))?,
    };
    let kind = if hidden {
        EventKind::ItemHidden
    } else {
        EventKind::ItemShown
    };
    let line = history::Entry {
        trust: row.try_get("trust_id")?,
        patient: Some(patient.as_uuid()),
        subject_kind: item.kind_name(),
        subject: item.as_uuid(),
        kind: kind.name(),
        policy_version: None,
        facts: json!({}),
    };
    history::append(&tx, &Principal::Account { account }, &[line]).await?;
    let event = NewEvent {
        patient,
        kind,
        item,
        share,
        restricted: row.try_get("restricted")?,
        due: None,
    };
    events::append(&tx, &[event]).await.map(Some)
}
