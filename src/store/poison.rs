//! Cases that are claimed again and again and never finished: something about this one case is wrong. After a bounded
//! number of claims a person at the trust is asked to phone. The case stays open and is still tried, hourly or so.
//!
//! A claim raises the case's fence and leaves its due time alone; whatever finishes a step moves the due time. So the
//! fence counts unfinished claims, and the claim itself writes nothing more than it must.

use letterbox_domain::event::EventKind;
use letterbox_domain::policy::Policy;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

use super::case_rows::CaseRow;
use super::events::NewEvent;
use super::history::Entry;
use super::ladder::{LadderStore, housekeeping};
use super::{StoreError, Tx, events, history, locks, tasks};

/// Claims that may come to nothing after a case was first seen in hand: deployments and crashes take one or two.
const MOST_CLAIMS: i64 = 5;

/// Only cases that are long overdue: a claim in good health lasts milliseconds. Bounded, because a case that is not
/// seen now is seen by the next look.
const SEE: &str = "
    INSERT INTO unfinished_cases (case_id, due_at, fence)
    SELECT c.id, c.due_at, c.fence FROM trusts t
    JOIN cases c ON c.trust_id = t.id AND c.ended_at IS NULL AND c.due_at <= app_now() - interval '3 minutes'
    WHERE c.lease_until IS NOT NULL LIMIT 1000
    ON CONFLICT (case_id) DO UPDATE SET due_at = excluded.due_at, fence = excluded.fence, noted_at = app_now()
    WHERE unfinished_cases.due_at <> excluded.due_at";

const FORGET: &str = "
    DELETE FROM unfinished_cases u
    WHERE NOT EXISTS (SELECT FROM cases c WHERE c.id = u.case_id AND c.ended_at IS NULL AND c.due_at = u.due_at)";

const POISONED: &str = "
    SELECT c.id, c.trust_id, c.patient_id, c.fence - u.fence AS claims
    FROM unfinished_cases u JOIN cases c ON c.id = u.case_id AND c.due_at = u.due_at
    WHERE c.ended_at IS NULL AND c.fence - u.fence >= $1 LIMIT 100";

/// What stands in the way of even reading it: the steps. Without any, the case only watches over its task.
const WITHOUT_STEPS: &str = "
    UPDATE cases SET step_rungs = '{}', step_ats = '{}', climbed = 0,
        promised_at = CASE WHEN EXISTS (SELECT FROM dispatches d WHERE d.case_id = cases.id AND d.channel = 'post')
                           THEN promised_at END
    WHERE id = $1 AND ended_at IS NULL";

const TRY_AGAIN: &str = "
    UPDATE cases SET due_at = app_now() + make_interval(secs => $2), fence = fence + 1, lease_until = NULL, lease_node = NULL
    WHERE id = $1 AND ended_at IS NULL RETURNING policy_version, app_now() AS now";

/// One case to be set aside.
#[derive(Clone, Copy)]
struct Poisoned {
    case: Uuid,
    trust: Uuid,
    patient: Uuid,
    claims: i64,
}

impl LadderStore {
    /// Looks for cases that nobody can finish and asks a person about each; answers how many.
    pub(super) async fn set_aside_poisoned(&self) -> Result<u64, StoreError> {
        let tx = self.store.begin(&housekeeping()).await?;
        tx.execute(FORGET, &[]).await?;
        tx.execute(SEE, &[]).await?;
        let rows = tx.query(POISONED, &[&MOST_CLAIMS]).await?;
        tx.commit().await?;
        let mut asked = 0;
        for row in &rows {
            let poisoned = Poisoned {
                case: row.try_get("id")?,
                trust: row.try_get("trust_id")?,
                patient: row.try_get("patient_id")?,
                claims: row.try_get("claims")?,
            };
            let set_aside = |tx: Tx| self.set_aside(tx, poisoned);
            // Each by itself: one that cannot even be set aside must not keep the others' patients waiting.
            match self
                .store
                .run("cases.set_aside", &housekeeping(), set_aside)
                .await
            {
                Ok(done) => asked += u64::from(done),
                Err(error) => {
                    tracing::error!(case = %poisoned.case, %error, "a case that nobody can finish could not be set aside");
                }
            }
        }
        metrics::counter!("letterbox_cases_set_aside_total").increment(asked);
        Ok(asked)
    }

    async fn set_aside(&self, tx: Tx, poisoned: Poisoned) -> Result<bool, StoreError> {
        locks::patients(&tx, &[poisoned.patient]).await?;
        let (case, had_steps) = readable(&tx, poisoned.case).await?;
        let policy = self.policy_or_standard(&tx, case.as_ref()).await?;
        let wait = policy.recheck_every().num_seconds().max(60) as f64;
        let Some(row) = tx.query_opt(TRY_AGAIN, &[&poisoned.case, &wait]).await? else {
            return Ok(false);
        };
        let known_by = case.as_ref().and_then(|case| case.known_by);
        let task = tasks::New::about(
            poisoned.trust,
            poisoned.case,
            tasks::Kind::Phone,
            &policy,
            &self.calendars,
            known_by,
            row.try_get("now")?,
        );
        tasks::insert(&tx, &[task]).await?;
        let facts = json!({"claims": poisoned.claims, "had_steps": had_steps});
        let version = row.try_get("policy_version")?;
        history::append(&tx, &housekeeping(), &[entry(poisoned, version, facts)]).await?;
        if let Some(case) = case.filter(|_| !had_steps) {
            events::append(&tx, &[promise_gone(&case)]).await?;
        }
        tracing::error!(case = %poisoned.case, claims = poisoned.claims, "nobody can finish this case: a person was asked to phone");
        Ok(true)
    }

    /// Its own policy, or the standard one where its own is what makes no sense.
    async fn policy_or_standard(
        &self,
        tx: &Tx,
        case: Option<&CaseRow>,
    ) -> Result<Arc<Policy>, StoreError> {
        let Some(case) = case else {
            return Ok(Arc::new(Policy::standard()));
        };
        match self.policy(tx, case.policy_key()).await {
            Err(StoreError::Corrupt { .. }) => Ok(Arc::new(Policy::standard())),
            read => read,
        }
    }
}

/// The case under its lock, and whether its steps could stay. Where they are what cannot be read, they are given up, so
/// that the staff's answer can end it.
async fn readable(tx: &Tx, id: Uuid) -> Result<(Option<CaseRow>, bool), StoreError> {
    if let Some(case) = locks::cases(tx, &[id]).await?.pop() {
        return Ok((Some(case), true));
    }
    tx.execute(WITHOUT_STEPS, &[&id]).await?;
    Ok((locks::cases(tx, &[id]).await?.pop(), false))
}

fn entry(poisoned: Poisoned, policy_version: i32, facts: serde_json::Value) -> Entry {
    Entry {
        trust: poisoned.trust,
        patient: Some(poisoned.patient),
        subject_kind: "case",
        subject: poisoned.case,
        kind: "case.set_aside",
        policy_version: Some(policy_version),
        facts,
    }
}

fn promise_gone(case: &CaseRow) -> NewEvent {
    NewEvent {
        patient: case.patient.into(),
        kind: EventKind::PromiseChanged,
        item: case.item(),
        share: case.share,
        restricted: case.restricted,
        due: case.plan.post_at,
    }
}
