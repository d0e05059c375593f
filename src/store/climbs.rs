//! What a climb writes: messages queued, notices, tasks and history, in sets. The same for a case that is
//! overdue and for one whose first steps fall into the transaction that publishes it.
//!
//! Every effect has a deterministic key or a rule of the schema, so writing one twice writes it once.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::future::join4;
use letterbox_domain::{
    dispatch::{Channel, effect_id},
    ladder::{Rung, Skip, SkipReason},
    policy::Policy,
    time::Calendars,
};
use serde_json::json;
use uuid::Uuid;

use super::history::Entry;
use super::{Principal, StoreError, Tx, dispatches, history, notices, tasks};

/// One case that climbs, as [`letterbox_domain::ladder::Decision::Climb`] says.
pub struct Climb<'a> {
    /// The case; its row exists.
    pub case: Uuid,
    /// Its trust.
    pub trust: Uuid,
    /// Its patient.
    pub patient: Uuid,
    /// What the keys of its effects are made of: the letter, or the case itself for an appointment's change.
    pub subject: Uuid,
    /// The case's policy.
    pub policy: &'a Policy,
    /// Steps to take.
    pub rungs: &'a [Rung],
    /// Steps left out.
    pub skipped: &'a [Skip],
    /// Not before this may nudges leave.
    pub nudge_at: DateTime<Utc>,
    /// The cut-off that takes the paper; `None` takes the next one.
    pub post_at: Option<DateTime<Utc>>,
    /// Start of the appointment, for the last useful moment of a phone call.
    pub known_by: Option<DateTime<Utc>>,
    /// How many steps are done afterwards.
    pub climbed: usize,
    /// When the case is due next.
    pub next_due: DateTime<Utc>,
}

/// Prepares [`apply`], so that all its statements leave at its first poll where nobody has to be asked.
pub(super) async fn prepare(tx: &Tx) -> Result<(), StoreError> {
    dispatches::prepare(tx).await?;
    notices::prepare(tx).await?;
    tasks::prepare(tx).await?;
    history::prepare(tx).await
}

/// Writes all effects of these climbs; answers the channels that have something new to send.
///
/// `now` is the transaction's `app_now()`. The case rows themselves (steps done, next due) are the caller's.
///
/// # Errors
/// Any [`StoreError`].
pub async fn apply(
    tx: &Tx,
    principal: &Principal,
    calendars: &Calendars,
    now: DateTime<Utc>,
    climbs: &[Climb<'_>],
) -> Result<BTreeSet<Channel>, StoreError> {
    let mut effects = Effects::default();
    for climb in climbs {
        effects.add(climb, calendars, now);
    }
    let channels = effects.dispatches.iter().map(|new| new.channel).collect();
    // On the heap: many a request's future holds this one, and would carry its four statements along.
    let (sent, noted, asked, told) = Box::pin(join4(
        dispatches::insert(tx, &effects.dispatches),
        notices::insert(tx, &effects.notices),
        tasks::insert(tx, &effects.tasks),
        history::append(tx, principal, &effects.history),
    ))
    .await;
    sent.and(noted).and(asked).and(told)?;
    // Last, because it asks whether anything is on its way.
    tasks::watch(tx, &effects.watched).await?;
    Ok(channels)
}

#[derive(Default)]
struct Effects {
    dispatches: Vec<dispatches::New>,
    notices: Vec<notices::New>,
    tasks: Vec<tasks::New>,
    watched: Vec<tasks::Watched>,
    history: Vec<Entry>,
}

impl Effects {
    fn add(&mut self, climb: &Climb<'_>, calendars: &Calendars, now: DateTime<Utc>) {
        for rung in climb.rungs {
            match rung {
                Rung::Email => {
                    self.dispatches
                        .push(climb.dispatch(*rung, Channel::Email, climb.nudge_at))
                }
                Rung::Text => {
                    self.dispatches
                        .push(climb.dispatch(*rung, Channel::Text, climb.nudge_at))
                }
                Rung::Deadline => {
                    let cut_off = climb
                        .post_at
                        .unwrap_or_else(|| climb.policy.cut_offs.next_after(now, calendars));
                    self.notices.push(notices::New {
                        case: climb.case,
                        trust: climb.trust,
                    });
                    self.dispatches
                        .push(climb.dispatch(*rung, Channel::Post, cut_off));
                }
                Rung::PhoneTask => self
                    .tasks
                    .push(climb.task(climb.task_kind(), calendars, now)),
                Rung::PrintCheck | Rung::TaskCheck => {
                    self.watched.push(climb.watched(calendars, now))
                }
            }
        }
        self.history.push(climb.entry());
    }
}

/// Whether a person stands in for paper, because there is nowhere to send it.
pub(super) fn has_no_address(skipped: &[Skip]) -> bool {
    skipped.iter().any(|skip| skip.why == SkipReason::NoAddress)
}

impl Climb<'_> {
    /// Whether [`apply`] has to ask what is on its way.
    pub(super) fn is_watched(&self) -> bool {
        self.rungs
            .iter()
            .any(|rung| matches!(rung, Rung::PrintCheck | Rung::TaskCheck))
    }

    fn dispatch(&self, rung: Rung, channel: Channel, due_at: DateTime<Utc>) -> dispatches::New {
        dispatches::New {
            id: effect_id(self.subject, rung),
            case: self.case,
            trust: self.trust,
            patient: self.patient,
            channel,
            due_at,
        }
    }

    fn task_kind(&self) -> tasks::Kind {
        if has_no_address(self.skipped) {
            tasks::Kind::NoAddress
        } else {
            tasks::Kind::Phone
        }
    }

    fn task(&self, kind: tasks::Kind, calendars: &Calendars, now: DateTime<Utc>) -> tasks::New {
        tasks::New::about(
            self.trust,
            self.case,
            kind,
            self.policy,
            calendars,
            self.known_by,
            now,
        )
    }

    fn watched(&self, calendars: &Calendars, now: DateTime<Utc>) -> tasks::Watched {
        tasks::Watched {
            escalate_to: self.policy.escalate_after.after(now, calendars),
            unacknowledged_since: now - self.policy.ack_within.nominal(),
            stand_in: self.task(tasks::Kind::Phone, calendars, now),
        }
    }

    fn entry(&self) -> Entry {
        let rungs: Vec<_> = self.rungs.iter().map(|rung| rung.name()).collect();
        let skipped: Vec<_> = self
            .skipped
            .iter()
            .map(|skip| [skip.rung.name(), skip.why.name()])
            .collect();
        Entry {
            trust: self.trust,
            patient: Some(self.patient),
            subject_kind: "case",
            subject: self.case,
            kind: "case.climbed",
            policy_version: Some(self.policy.version),
            facts: json!({
                "rungs": rungs, "skipped": skipped, "climbed": self.climbed,
                "next_due": self.next_due, "promised_at": self.post_at,
            }),
        }
    }
}
