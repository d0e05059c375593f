//! Ending cases: once, whatever comes later, with everything that hangs on them. Decides nothing.

use letterbox_domain::{case::CaseEnd, id::CaseId};
use uuid::Uuid;

use super::{StoreError, Tx};

/// What has not left yet is called off; what has left is exempt and stays as it is. Paper that the patient asked for
/// goes all the same, unless the letter is withdrawn. A letter that is not the patient's stays a named person's task.
const END: &str = "
    WITH held AS (
        SELECT id FROM cases WHERE id = ANY($1) AND ended_at IS NULL ORDER BY id FOR UPDATE
    ), ended AS (
        UPDATE cases c SET ended_at = app_now(), end_kind = $2, end_detail = $3,
                           lease_until = NULL, lease_node = NULL, fence = c.fence + 1
        FROM held WHERE c.id = held.id RETURNING c.id
    ), off AS (
        UPDATE dispatches d SET state = 'cancelled', code = $2, finished_at = app_now()
        FROM ended WHERE d.case_id = ended.id AND d.state = 'queued' AND (d.asked_at IS NULL OR $2 = 'withdrawn')
    ), told AS (
        UPDATE notices n SET closed_at = app_now() FROM ended WHERE n.case_id = ended.id AND n.closed_at IS NULL
    ), done AS (
        UPDATE tasks t SET closed_at = app_now(), outcome = $4 FROM ended
        WHERE t.case_id = ended.id AND t.closed_at IS NULL AND t.kind <> 'not_mine'
    )
    SELECT id FROM ended";

/// Ends those of `cases` that are open; answers which. Their queued messages are called off, notices and tasks closed.
///
/// Lock the patients first. A case that has ended already keeps its first end.
///
/// # Errors
/// Any [`StoreError`].
pub async fn end(
    tx: &Tx,
    cases: &[CaseId],
    end: CaseEnd,
    detail: Option<&str>,
) -> Result<Vec<CaseId>, StoreError> {
    let ids: Vec<Uuid> = cases.iter().map(CaseId::as_uuid).collect();
    let rows = tx
        .query(END, &[&ids, &end.name(), &detail, &task_outcome(end)])
        .await?;
    rows.iter()
        .map(|row| Ok(CaseId::from(row.try_get::<_, Uuid>(0)?)))
        .collect()
}

/// How the tasks of a case that ended so are closed.
const fn task_outcome(end: CaseEnd) -> &'static str {
    match end {
        CaseEnd::Opened => "opened",
        CaseEnd::Withdrawn => "withdrawn",
        CaseEnd::Posted | CaseEnd::HandedOver => "resolved",
    }
}
