//! Policies as rows: versioned, never changed once written. Their JSON form is the store's own.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use chrono::NaiveTime;
use letterbox_domain::id::TrustId;
use letterbox_domain::policy::Policy;
use letterbox_domain::promise::Precision;
use letterbox_domain::time::{CalendarName, CutOffs, QuietHours, Unit, Wait, WeekDays};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{StoreError, Tx};

/// Policies seen by this process. Trusts times versions is small; beyond this the cache starts afresh.
const MOST: usize = 1_000;

/// What a process remembers of policies: a version never changes, so nothing in it is ever stale.
#[derive(Default)]
pub(super) struct Cache(RwLock<HashMap<(TrustId, i32), Arc<Policy>>>);

impl Cache {
    fn find(&self, key: (TrustId, i32)) -> Option<Arc<Policy>> {
        self.0.read().ok()?.get(&key).cloned()
    }

    fn keep(&self, key: (TrustId, i32), policy: &Arc<Policy>) {
        if let Ok(mut cache) = self.0.write() {
            if cache.len() >= MOST {
                cache.clear();
            }
            cache.insert(key, Arc::clone(policy));
        }
    }
}

/// The policy that a trust's new letters get.
///
/// # Errors
/// Any [`StoreError`]; a trust without a policy counts as corrupt.
pub async fn current(tx: &Tx, trust: TrustId) -> Result<Arc<Policy>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT policy_version FROM trusts WHERE id = $1",
            &[&trust.as_uuid()],
        )
        .await?;
    let row = row.ok_or_else(|| StoreError::corrupt("trusts", "id", "there is no such trust"))?;
    get(tx, trust, row.get(0)).await
}

/// The policy that a running letter was published under; asked of the database once per process.
///
/// # Errors
/// As [`current`].
pub async fn get(tx: &Tx, trust: TrustId, version: i32) -> Result<Arc<Policy>, StoreError> {
    if let Some(policy) = tx.policies().find((trust, version)) {
        return Ok(policy);
    }
    let row = tx
        .query_opt(
            "SELECT body FROM policies WHERE trust_id = $1 AND version = $2",
            &[&trust.as_uuid(), &version],
        )
        .await?;
    let row =
        row.ok_or_else(|| StoreError::corrupt("cases", "policy_version", "names no policy"))?;
    let policy = Arc::new(read(version, row.get(0))?);
    tx.policies().keep((trust, version), &policy);
    Ok(policy)
}

/// Writes a policy and makes it the one for new letters.
///
/// # Errors
/// Any [`StoreError`]; a version that is taken already is refused.
pub async fn insert(tx: &Tx, trust: Uuid, policy: &Policy) -> Result<(), StoreError> {
    let body = serde_json::to_value(Body::from(policy))
        .map_err(|error| StoreError::corrupt("policies", "body", error))?;
    tx.execute(
        "INSERT INTO policies (trust_id, version, body) VALUES ($1, $2, $3)",
        &[&trust, &policy.version, &body],
    )
    .await?;
    tx.execute(
        "UPDATE trusts SET policy_version = $2 WHERE id = $1",
        &[&trust, &policy.version],
    )
    .await
    .map(drop)
}

fn read(version: i32, body: Value) -> Result<Policy, StoreError> {
    let corrupt = |why: String| StoreError::corrupt("policies", "body", why);
    let body: Body = serde_json::from_value(body).map_err(|error| corrupt(error.to_string()))?;
    let policy = body
        .policy(version)
        .ok_or_else(|| corrupt("a word in it is unknown".to_owned()))?;
    policy
        .validate()
        .map_err(|error| corrupt(error.to_string()))?;
    Ok(policy)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    email_after: WaitBody,
    text_after: WaitBody,
    deadline_appointment: WaitBody,
    deadline_clinic: WaitBody,
    before_appointment: WaitBody,
    urgent_window: WaitBody,
    task_after: WaitBody,
    task_after_next_day: WaitBody,
    phone_within: WaitBody,
    escalate_after: WaitBody,
    ack_within: WaitBody,
    recheck: WaitBody,
    nudge_hours: Option<HoursBody>,
    cut_offs: CutOffsBody,
    undelivered_jump: bool,
    precision: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitBody {
    amount: u32,
    unit: String,
    calendar: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursBody {
    from: NaiveTime,
    to: NaiveTime,
    /// Bit 0 is Monday.
    days: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum CutOffsBody {
    Daily { at: NaiveTime, calendar: String },
    EverySeconds(u32),
}

impl From<&Policy> for Body {
    fn from(policy: &Policy) -> Self {
        Self {
            email_after: policy.email_after.into(),
            text_after: policy.text_after.into(),
            deadline_appointment: policy.deadline_appointment.into(),
            deadline_clinic: policy.deadline_clinic.into(),
            before_appointment: policy.before_appointment.into(),
            urgent_window: policy.urgent_window.into(),
            task_after: policy.task_after.into(),
            task_after_next_day: policy.task_after_next_day.into(),
            phone_within: policy.phone_within.into(),
            escalate_after: policy.escalate_after.into(),
            ack_within: policy.ack_within.into(),
            recheck: policy.recheck.into(),
            nudge_hours: policy.nudge_hours.map(|hours| HoursBody {
                from: hours.from,
                to: hours.to,
                days: hours.days.bits(),
            }),
            cut_offs: match policy.cut_offs {
                CutOffs::Daily { at, calendar } => CutOffsBody::Daily {
                    at,
                    calendar: calendar.name().to_owned(),
                },
                CutOffs::EverySeconds(seconds) => CutOffsBody::EverySeconds(seconds),
            },
            undelivered_jump: policy.undelivered_jump,
            precision: policy.precision.name().to_owned(),
        }
    }
}

impl Body {
    fn policy(&self, version: i32) -> Option<Policy> {
        Some(Policy {
            version,
            email_after: self.email_after.wait()?,
            text_after: self.text_after.wait()?,
            deadline_appointment: self.deadline_appointment.wait()?,
            deadline_clinic: self.deadline_clinic.wait()?,
            before_appointment: self.before_appointment.wait()?,
            urgent_window: self.urgent_window.wait()?,
            task_after: self.task_after.wait()?,
            task_after_next_day: self.task_after_next_day.wait()?,
            phone_within: self.phone_within.wait()?,
            escalate_after: self.escalate_after.wait()?,
            ack_within: self.ack_within.wait()?,
            recheck: self.recheck.wait()?,
            nudge_hours: self.nudge_hours.as_ref().map(|hours| QuietHours {
                from: hours.from,
                to: hours.to,
                days: WeekDays::from_bits(hours.days),
            }),
            cut_offs: match &self.cut_offs {
                CutOffsBody::Daily { at, calendar } => CutOffs::Daily {
                    at: *at,
                    calendar: CalendarName::from_name(calendar)?,
                },
                CutOffsBody::EverySeconds(seconds) => CutOffs::EverySeconds(*seconds),
            },
            undelivered_jump: self.undelivered_jump,
            precision: Precision::from_name(&self.precision)?,
        })
    }
}

impl From<Wait> for WaitBody {
    fn from(wait: Wait) -> Self {
        Self {
            amount: wait.amount,
            unit: wait.unit.name().to_owned(),
            calendar: wait.calendar.name().to_owned(),
        }
    }
}

impl WaitBody {
    fn wait(&self) -> Option<Wait> {
        Some(Wait {
            amount: self.amount,
            unit: Unit::from_name(&self.unit)?,
            calendar: CalendarName::from_name(&self.calendar)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_back_as_it_was_written() {
        for policy in [Policy::standard(), Policy::demo()] {
            let body = serde_json::to_value(Body::from(&policy)).expect("it is plain data");
            assert_eq!(read(policy.version, body).expect("it is valid"), policy);
        }
    }

    #[test]
    fn an_unknown_word_is_not_guessed_at() {
        let mut body =
            serde_json::to_value(Body::from(&Policy::standard())).expect("it is plain data");
        body["email_after"]["unit"] = "fortnights".into();
        assert!(read(1, body).is_err());
    }
}
