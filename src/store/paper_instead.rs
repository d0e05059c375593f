//! Paper where a person asked for it or nothing else is left: queued under the deadline's own key, so that it is the
//! same envelope, and promised for the cut-off that takes it.

use letterbox_domain::{
    dispatch::{Channel, effect_id},
    event::Event,
    ladder::{Plan, Rung},
    policy::Policy,
};
use serde_json::json;

use super::case_commit::{entry, promise_changed};
use super::case_rows::{CaseRow, columns};
use super::ladder::{LadderStore, housekeeping};
use super::{StoreError, Tx, events, history, notices};

/// Paper that never reached a batch may be queued again under its own key; what was in one is never printed again.
const QUEUE_PAPER: &str = "
    INSERT INTO dispatches AS d (id, case_id, trust_id, patient_id, channel, due_at, state)
    VALUES ($1, $2, $3, $4, 'post', $5, 'queued')
    ON CONFLICT (id) DO UPDATE SET state = 'queued', due_at = excluded.due_at, code = NULL, finished_at = NULL
    WHERE d.state IN ('failed', 'cancelled', 'rejected')
      AND NOT EXISTS (SELECT FROM print_items i WHERE i.dispatch_id = d.id)";

const PAPER_IS_COMING: &str =
    "SELECT FROM dispatches WHERE id = $1 AND state IN ('queued', 'claimed', 'accepted')";

impl LadderStore {
    /// Puts the paper into the queue for the next cut-off; `false` if it is there, has gone, or may not go again.
    pub(super) async fn queue_paper(
        &self,
        tx: &Tx,
        case: &CaseRow,
        policy: &Policy,
    ) -> Result<bool, StoreError> {
        let id = effect_id(case.effect_subject(), Rung::Deadline);
        let cut_off = policy.cut_offs.next_after(case.now, &self.calendars);
        let queued = tx
            .execute(
                QUEUE_PAPER,
                &[&id, &case.id, &case.trust, &case.patient, &cut_off],
            )
            .await?
            == 1;
        if queued {
            notices::insert(
                tx,
                &[notices::New {
                    case: case.id,
                    trust: case.trust,
                }],
            )
            .await?;
            let facts = json!({"channel": Channel::Post.name(), "due_at": cut_off});
            history::append(
                tx,
                &housekeeping(),
                &[entry(case, "case.paper_queued", facts)],
            )
            .await?;
        }
        Ok(queued)
    }

    /// The promise names the cut-off that takes the paper, and the case looks whether it left.
    pub(super) async fn promise_paper(
        &self,
        tx: &Tx,
        case: &CaseRow,
        policy: &Policy,
        plan: Option<&Plan>,
    ) -> Result<Vec<Event>, StoreError> {
        const PROMISE: &str = "
            UPDATE cases SET promised_at = $2, due_at = $3, step_rungs = $4, step_ats = $5, climbed = $6,
                             fence = fence + 1, lease_until = NULL, lease_node = NULL
            WHERE id = $1 AND ended_at IS NULL";
        let cut_off = policy.cut_offs.next_after(case.now, &self.calendars);
        let check = policy.ack_within.after(cut_off, &self.calendars);
        let (rungs, ats) = columns(plan.unwrap_or(&case.plan));
        let (due, climbed) = match plan {
            Some(plan) => (
                check,
                i16::try_from(plan.steps.len().saturating_sub(1)).unwrap_or(i16::MAX),
            ),
            None => (case.due_at.min(check), case.climbed),
        };
        tx.execute(PROMISE, &[&case.id, &cut_off, &due, &rungs, &ats, &climbed])
            .await?;
        events::append(tx, &[promise_changed(case, Some(cut_off))]).await
    }
}

/// Whether it stands in the queue or is on its way.
pub(super) async fn paper_is_coming(tx: &Tx, case: &CaseRow) -> Result<bool, StoreError> {
    let id = effect_id(case.effect_subject(), Rung::Deadline);
    Ok(tx.query_opt(PAPER_IS_COMING, &[&id]).await?.is_some())
}
