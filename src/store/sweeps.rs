//! Idempotent sweeps that the caretaker wakes: what has expired is removed, what is stuck is brought on, and the rule
//! "no letter without a next step" is checked. None decides anything about a letter.

use std::sync::Arc;

use async_trait::async_trait;
use letterbox_actors::ports::{Chore, PortResult};
use letterbox_domain::dispatch::DispatchState;
use uuid::Uuid;

use super::ladder::{LadderStore, housekeeping};
use super::{StoreError, Tx, policies};

/// A View form lives for a quarter of an hour; its nonce is remembered for a day, so that no clock matters.
const NONCES: &str = "DELETE FROM used_nonces WHERE used_at < app_now() - interval '1 day'";

/// Ended sessions are kept for a week, for "where was I signed in".
const SESSIONS: &str = "
    DELETE FROM sessions WHERE least(expires_at, coalesce(ended_at, expires_at)) < app_now() - interval '7 days'";

const TICKETS: &str = "DELETE FROM live_tickets WHERE expires_at < app_now()";

/// Tasks about a batch or about input have no case that would look after them.
const OVERDUE_TASKS: &str = "
    SELECT id, trust_id FROM tasks WHERE case_id IS NULL AND closed_at IS NULL AND due_at <= app_now()
    ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED";

const NEXT_PERSON: &str =
    "UPDATE tasks SET escalations = escalations + 1, due_at = $2 WHERE id = $1";

/// Claimed over and over and never finished: something about this one row is wrong.
const STUCK: &str = "
    SELECT id, attempt FROM dispatches
    WHERE channel <> 'post' AND state IN ('claimed', 'unknown') AND attempt >= $1
      AND (lease_until IS NULL OR lease_until <= app_now())
    ORDER BY due_at LIMIT 100";

/// So many attempts within the hours in which a provider may put us off are still ordinary.
const MOST_ATTEMPTS: i32 = 40;

#[derive(Clone, Copy)]
enum What {
    Delete(&'static str),
    EscalateTasks,
    RescueMessages,
    SetAsideCases,
    AuditCases,
    OverdueRequests,
}

struct Sweep {
    ladder: LadderStore,
    name: &'static str,
    schedule: &'static str,
    what: What,
}

impl LadderStore {
    /// The sweeps over what this store looks after.
    #[must_use]
    pub fn chores(&self) -> Vec<Arc<dyn Chore>> {
        let sweep = |name, schedule, what| -> Arc<dyn Chore> {
            Arc::new(Sweep {
                ladder: self.clone(),
                name,
                schedule,
                what,
            })
        };
        vec![
            sweep("cases.audit", "15 * * * * *", What::AuditCases),
            sweep("dispatches.rescue", "30 * * * * *", What::RescueMessages),
            sweep("cases.set_aside", "50 * * * * *", What::SetAsideCases),
            sweep("tasks.escalate", "45 * * * * *", What::EscalateTasks),
            sweep("requests.overdue", "50 * * * * *", What::OverdueRequests),
            sweep("tickets.sweep", "20 * * * * *", What::Delete(TICKETS)),
            sweep("nonces.sweep", "0 10 * * * *", What::Delete(NONCES)),
            sweep("sessions.sweep", "0 20 3 * * *", What::Delete(SESSIONS)),
        ]
    }

    async fn escalate_tasks(&self, tx: Tx) -> Result<u64, StoreError> {
        let rows = tx.query(OVERDUE_TASKS, &[]).await?;
        for row in &rows {
            let policy = policies::current(&tx, row.try_get::<_, Uuid>("trust_id")?.into()).await?;
            let now = tx.query_one("SELECT app_now()", &[]).await?.try_get(0)?;
            let due = policy.escalate_after.after(now, &self.calendars);
            tx.execute(NEXT_PERSON, &[&row.try_get::<_, Uuid>("id")?, &due])
                .await?;
        }
        Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
    }

    /// Row by row, each in a transaction of its own: one that cannot be rescued must not block the others.
    async fn rescue_messages(&self) -> Result<u64, StoreError> {
        let tx = self.store.begin(&housekeeping()).await?;
        let rows = tx.query(STUCK, &[&MOST_ATTEMPTS]).await?;
        tx.commit().await?;
        let mut rescued = 0;
        for row in rows {
            let (id, attempt): (Uuid, i32) = (row.try_get("id")?, row.try_get("attempt")?);
            match self
                .fail(
                    &housekeeping(),
                    id,
                    attempt,
                    DispatchState::Failed,
                    "stuck",
                    None,
                )
                .await
            {
                Ok(done) => rescued += u64::from(done),
                Err(error) => {
                    tracing::error!(dispatch = %id, %error, "a stuck message could not be given up")
                }
            }
        }
        Ok(rescued)
    }

    async fn audit_cases(&self) -> Result<u64, StoreError> {
        let found = self.store.cases_without_next_step().await?;
        metrics::gauge!("letterbox_cases_without_next_step")
            .set(u32::try_from(found.len()).unwrap_or(u32::MAX));
        for id in found.iter().take(20) {
            tracing::error!(%id, "a letter or case has no next step: somebody must look at it now");
        }
        Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl Chore for Sweep {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schedule(&self) -> &str {
        self.schedule
    }

    async fn run(&self) -> PortResult<u64> {
        let ladder = &self.ladder;
        Ok(match self.what {
            What::Delete(sql) => {
                let delete = |tx: Tx| async move { tx.execute(sql, &[]).await };
                ladder.store.run(self.name, &housekeeping(), delete).await?
            }
            What::EscalateTasks => {
                let escalate = |tx: Tx| ladder.escalate_tasks(tx);
                ladder
                    .store
                    .run(self.name, &housekeeping(), escalate)
                    .await?
            }
            What::RescueMessages => ladder.rescue_messages().await?,
            What::SetAsideCases => ladder.set_aside_poisoned().await?,
            What::AuditCases => ladder.audit_cases().await?,
            What::OverdueRequests => {
                ladder
                    .store
                    .overdue_change_requests(&housekeeping())
                    .await?
            }
        })
    }
}
