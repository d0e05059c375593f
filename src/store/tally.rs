//! The sum that must come out: everything sent is opened, posted, told by telephone, taken over, or still waiting.
//! Computed from the records alone; it changes nothing.

use chrono::{DateTime, Utc};

use super::{Principal, Store, StoreError};

/// What has become of everything that was sent since some instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Letters, and changes of appointments that have a case of their own. What was withdrawn or overtaken is not
    /// counted here but in `withdrawn`.
    pub sent: i64,
    /// Ended by the patient's opening.
    pub opened: i64,
    /// Ended by the print house's acknowledgement.
    pub posted: i64,
    /// Ended by a telephone call.
    pub told: i64,
    /// Taken over by a person in another way.
    pub taken_over: i64,
    /// Open, with a next step.
    pub waiting: i64,
    /// Withdrawn by the trust, or overtaken by a later change.
    pub withdrawn: i64,
    /// Letters and cases that are nobody's business any more although nobody was reached. Must be 0.
    pub lost: i64,
    /// Letters that went into an envelope more than once. Must be 0.
    pub posted_twice: i64,
}

impl Tally {
    /// Whether the sum comes out and nothing went wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        let reached = self.opened + self.posted + self.told + self.taken_over;
        self.sent == reached + self.waiting && self.lost == 0 && self.posted_twice == 0
    }
}

/// Letters and cases for which nothing is armed: no timer, no lease, no end that reached anybody. The rule "no silent
/// letter" says that this is empty in every committed state.
macro_rules! without_next_step {
    () => {
        "SELECT l.id FROM letters l LEFT JOIN cases c ON c.letter_id = l.id \
         WHERE l.route <> 'you_post' AND ((l.state IN ('held', 'published') AND (c.id IS NULL OR c.end_kind IN ('opened', 'withdrawn'))) \
            OR (l.state IN ('opened', 'withdrawn', 'superseded') AND c.id IS NOT NULL AND c.ended_at IS NULL)) \
         UNION ALL \
         SELECT c.id FROM cases c WHERE c.ended_at IS NULL AND c.due_at > greatest(c.deadline_at, app_now()) + interval '7 days' \
         UNION ALL \
         SELECT c.id FROM cases c WHERE c.ended_at IS NULL AND c.lease_until > app_now() + interval '10 minutes' \
         UNION ALL \
         SELECT a.id FROM appointments a LEFT JOIN cases c ON c.appointment_id = a.id AND c.appointment_change = a.change \
         WHERE c.ended_at IS NULL AND c.id IS NOT NULL AND a.opened_change >= a.change"
    };
}

/// `sent` is counted from what was taken in, everything else from what became of it: the two must agree.
const TALLY: &str = concat!(
    "WITH ours AS (SELECT c.* FROM cases c WHERE c.created_at >= $1),
     ends AS (
        SELECT count(*) FILTER (WHERE end_kind = 'opened') AS opened,
               count(*) FILTER (WHERE end_kind = 'posted') AS posted,
               count(*) FILTER (WHERE end_kind = 'handed_over' AND end_detail = 'told_by_phone') AS told,
               count(*) FILTER (WHERE end_kind = 'handed_over' AND end_detail IS DISTINCT FROM 'told_by_phone') AS taken_over,
               count(*) FILTER (WHERE ended_at IS NULL) AS waiting,
               count(*) FILTER (WHERE end_kind = 'withdrawn') AS withdrawn,
               count(*) FILTER (WHERE appointment_id IS NOT NULL AND end_kind IS DISTINCT FROM 'withdrawn') AS changes
        FROM ours),
     taken_in AS (
        SELECT count(*) AS letters FROM letters l LEFT JOIN cases c ON c.letter_id = l.id
        WHERE l.published_at >= $1 AND l.route <> 'you_post' AND c.end_kind IS DISTINCT FROM 'withdrawn'),
     twice AS (
        SELECT count(*) AS posted_twice FROM (
            SELECT i.subject_id FROM print_items i JOIN dispatches d ON d.id = i.dispatch_id JOIN ours ON ours.id = d.case_id
            GROUP BY i.subject_id HAVING count(*) > 1) AS repeated)
     SELECT letters + changes AS sent, opened, posted, told, taken_over, waiting, withdrawn, posted_twice,
            (SELECT count(*) FROM (",
    without_next_step!(),
    ") AS lost) AS lost
     FROM ends, taken_in, twice"
);

const WITHOUT_NEXT_STEP: &str = without_next_step!();

impl Store {
    /// What has become of everything sent since `since`.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn tally(&self, since: DateTime<Utc>) -> Result<Tally, StoreError> {
        let tx = self.begin_snapshot(&Principal::SERVER).await?;
        let row = tx.query_one(TALLY, &[&since]).await?;
        tx.commit().await?;
        Ok(Tally {
            sent: row.try_get("sent")?,
            opened: row.try_get("opened")?,
            posted: row.try_get("posted")?,
            told: row.try_get("told")?,
            taken_over: row.try_get("taken_over")?,
            waiting: row.try_get("waiting")?,
            withdrawn: row.try_get("withdrawn")?,
            lost: row.try_get("lost")?,
            posted_twice: row.try_get("posted_twice")?,
        })
    }

    /// Letters, appointments and cases without a next step; must always be empty.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn cases_without_next_step(&self) -> Result<Vec<uuid::Uuid>, StoreError> {
        let tx = self.begin_snapshot(&Principal::SERVER).await?;
        let rows = tx.query(WITHOUT_NEXT_STEP, &[]).await?;
        tx.commit().await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
