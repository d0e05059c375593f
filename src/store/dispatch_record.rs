//! What came of a message: the provider's answer, a later receipt, or our giving up. What certainly failed brings
//! the case's next step forward in the same transaction, so that no failure is quiet.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::ClaimedDispatch;
use letterbox_domain::{
    dispatch::{Channel, DispatchState, Outcome},
    event::Event,
    ladder::{Contacts, jump},
};
use serde_json::json;
use uuid::Uuid;

use super::case_commit::{entry as case_entry, promise_changed};
use super::case_rows::{CaseRow, columns};
use super::dispatches::{Held, entry, finish, finish_attempt, lock};
use super::ladder::{LadderStore, housekeeping};
use super::{Principal, StoreError, Tx, events, history, locks};

/// A provider that stays silent about a message for this long will not be waited for: the next step comes.
const UNKNOWN_FOR: TimeDelta = TimeDelta::hours(1);

const WRITE: &str = "
    UPDATE dispatches SET state = $2, provider_reference = coalesce($3, provider_reference), code = $4,
           due_at = coalesce($5, due_at), lease_until = NULL, lease_node = NULL,
           finished_at = CASE WHEN $2 IN ('queued', 'unknown') THEN NULL ELSE app_now() END
    WHERE id = $1";

/// What a message's outcome becomes in the database.
struct Written<'a> {
    state: DispatchState,
    reference: Option<&'a str>,
    code: Option<&'a str>,
    again_at: Option<DateTime<Utc>>,
}

/// A refusal or a failure, and whom it is about.
#[derive(Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) state: DispatchState,
    pub(super) code: &'a str,
    /// The contact that certainly does not work, to be remembered.
    pub(super) bad_contact: Option<&'a str>,
}

impl LadderStore {
    pub(super) async fn write_outcome(
        &self,
        claimed: &ClaimedDispatch,
        outcome: &Outcome,
    ) -> Result<bool, StoreError> {
        if let Outcome::Rejected { code } = outcome {
            let bad = blames_contact(claimed.channel, code).then_some(claimed.outgoing.to.as_str());
            let failed = (claimed.id.as_uuid(), claimed.attempt);
            return self
                .fail(
                    &housekeeping(),
                    failed.0,
                    failed.1,
                    DispatchState::Rejected,
                    code,
                    bad,
                )
                .await;
        }
        let write = |tx: Tx| self.settle(tx, claimed, outcome);
        match self
            .store
            .run("dispatches.record", &housekeeping(), write)
            .await?
        {
            Settled::Written => Ok(true),
            Settled::Fenced => Ok(false),
            Settled::GivenUp(code) => {
                let (id, attempt) = (claimed.id.as_uuid(), claimed.attempt);
                self.fail(
                    &housekeeping(),
                    id,
                    attempt,
                    DispatchState::Failed,
                    code,
                    None,
                )
                .await
            }
        }
    }

    async fn settle(
        &self,
        tx: Tx,
        claimed: &ClaimedDispatch,
        outcome: &Outcome,
    ) -> Result<Settled, StoreError> {
        let id = claimed.id.as_uuid();
        let Some((case, held)) = lock(&tx, id).await? else {
            return Ok(Settled::Fenced);
        };
        if self.fenced && held.attempt != claimed.attempt {
            finish_attempt(&tx, claimed, "fenced", Some(outcome.name())).await?;
            return Ok(Settled::Fenced);
        }
        let tried = tried(&tx, id).await?;
        let waits = &self.bounds.retry_after;
        if let Some(code) = tried.given_up(outcome, waits, case.now) {
            return Ok(Settled::GivenUp(code));
        }
        let written = Written {
            // A receipt may have come before our own record: it knows more.
            state: if held.state == DispatchState::Claimed || !self.fenced {
                outcome.state()
            } else {
                held.state
            },
            reference: match outcome {
                Outcome::Accepted { reference } => Some(reference),
                _ => None,
            },
            code: None,
            again_at: again_at(outcome, waits.get(tried.put_off), case.now, claimed.attempt),
        };
        write(&tx, id, &written).await?;
        finish_attempt(&tx, claimed, outcome.name(), None).await?;
        let facts = json!({"attempt": claimed.attempt, "channel": claimed.channel.name()});
        history::append(
            &tx,
            &housekeeping(),
            &[entry(&case, id, kind(outcome), facts)],
        )
        .await?;
        Ok(Settled::Written)
    }

    /// Ends a message as rejected or failed and brings the next step forward. `false`: somebody else holds it.
    pub(super) async fn fail(
        &self,
        actor: &Principal,
        id: Uuid,
        attempt: i32,
        state: DispatchState,
        code: &str,
        bad_contact: Option<&str>,
    ) -> Result<bool, StoreError> {
        let failure = Failure {
            state,
            code,
            bad_contact,
        };
        let work = |tx: Tx| async move {
            lock_mailbox(&tx, id).await?;
            let Some((case, held)) = lock(&tx, id).await? else {
                return Ok(false);
            };
            let mine = held.attempt == attempt && held.state == DispatchState::Claimed;
            if self.fenced && !mine {
                finish(&tx, id, attempt, "fenced", Some(code)).await?;
                return Ok(false);
            }
            let outcome = if state == DispatchState::Rejected {
                "rejected"
            } else {
                "cancelled"
            };
            finish(&tx, id, attempt, outcome, Some(code)).await?;
            self.write_failure(&tx, actor, &case, &held, id, failure)
                .await?;
            Ok(true)
        };
        self.store.run("dispatches.fail", actor, work).await
    }

    /// Under the locks of mailbox, case and dispatch.
    pub(super) async fn write_failure(
        &self,
        tx: &Tx,
        actor: &Principal,
        case: &CaseRow,
        held: &Held,
        id: Uuid,
        failure: Failure<'_>,
    ) -> Result<Vec<Event>, StoreError> {
        let written = Written {
            state: failure.state,
            reference: None,
            code: Some(failure.code),
            again_at: None,
        };
        write(tx, id, &written).await?;
        if let Some(contact) = failure.bad_contact {
            note_bad_contact(tx, case.patient, held.channel, contact, failure.code).await?;
        }
        let kind = if failure.state == DispatchState::Rejected {
            "dispatch.rejected"
        } else {
            "dispatch.failed"
        };
        let facts = json!({"code": failure.code, "channel": held.channel.name()});
        history::append(tx, actor, &[entry(case, id, kind, facts)]).await?;
        if held.channel == Channel::Post {
            return Ok(Vec::new());
        }
        let still = without(case.contacts, held.channel, failure.bad_contact.is_some());
        self.bring_forward(tx, actor, case, still).await
    }

    /// The case's next step comes forward; a decision that is under way elsewhere is fenced off.
    async fn bring_forward(
        &self,
        tx: &Tx,
        actor: &Principal,
        case: &CaseRow,
        contacts: Contacts,
    ) -> Result<Vec<Event>, StoreError> {
        if !case.state.is_open() {
            return Ok(Vec::new());
        }
        let policy = self.policy(tx, case.policy_key()).await?;
        let climbed = usize::try_from(case.climbed).unwrap_or(0);
        let plan = jump(
            &policy,
            &self.calendars,
            &case.plan,
            climbed,
            contacts,
            case.now,
        );
        let due = plan
            .steps
            .get(climbed)
            .map_or(case.due_at, |step| step.at.min(case.due_at));
        let (rungs, ats) = columns(&plan);
        let params: super::Params<'_> =
            &[&case.id, &rungs, &ats, &plan.deadline, &plan.post_at, &due];
        tx.execute(REPLAN, params).await?;
        let facts = json!({"next_due": due, "promised_at": plan.post_at});
        history::append(
            tx,
            actor,
            &[case_entry(case, "case.brought_forward", facts)],
        )
        .await?;
        if plan.post_at == case.plan.post_at {
            return Ok(Vec::new());
        }
        events::append(tx, &[promise_changed(case, plan.post_at)]).await
    }
}

const REPLAN: &str = "
    UPDATE cases SET step_rungs = $2, step_ats = $3, deadline_at = $4, promised_at = $5, due_at = $6,
                     fence = fence + 1, lease_until = NULL, lease_node = NULL
    WHERE id = $1";

enum Settled {
    Written,
    Fenced,
    GivenUp(&'static str),
}

/// How long a message has been under way already.
struct Tried {
    begun: Option<DateTime<Utc>>,
    sent: Option<DateTime<Utc>>,
    /// How often the provider has said "later".
    put_off: usize,
}

async fn tried(tx: &Tx, id: Uuid) -> Result<Tried, StoreError> {
    const TRIED: &str =
        "SELECT min(started_at), min(sent_at), count(*) FILTER (WHERE outcome = 'later')
                         FROM attempts WHERE dispatch_id = $1";
    let row = tx.query_one(TRIED, &[&id]).await?;
    Ok(Tried {
        begun: row.try_get(0)?,
        sent: row.try_get(1)?,
        put_off: usize::try_from(row.try_get::<_, i64>(2)?).unwrap_or(usize::MAX),
    })
}

impl Tried {
    /// Whether waiting has lasted long enough: all waits are used up, or as much time has passed.
    fn given_up(
        &self,
        outcome: &Outcome,
        waits: &[TimeDelta],
        now: DateTime<Utc>,
    ) -> Option<&'static str> {
        let longer_than =
            |since: Option<DateTime<Utc>>, bound| since.is_some_and(|at| now - at > bound);
        match outcome {
            Outcome::Unknown if longer_than(self.sent.or(self.begun), UNKNOWN_FOR) => {
                Some("outcome_unknown")
            }
            Outcome::Later { .. }
                if self.put_off >= waits.len() || longer_than(self.begun, waits.iter().sum()) =>
            {
                Some("given_up")
            }
            _ => None,
        }
    }
}

/// When to ask or try again: after the configured wait, or longer where the provider wishes it; when nobody knows,
/// after 5 s, 10 s … 10 min.
fn again_at(
    outcome: &Outcome,
    wait: Option<&TimeDelta>,
    now: DateTime<Utc>,
    attempt: i32,
) -> Option<DateTime<Utc>> {
    let longest = TimeDelta::hours(4);
    match outcome {
        Outcome::Later { after } => {
            let wished = TimeDelta::from_std(*after).unwrap_or(longest);
            let wished = wished.clamp(TimeDelta::seconds(1), longest);
            Some(now + wait.map_or(wished, |wait| wished.max(*wait)))
        }
        Outcome::Unknown => {
            let doublings = u32::try_from(attempt - 1).unwrap_or(0).min(7);
            Some(now + TimeDelta::seconds(5_i64 << doublings).min(TimeDelta::minutes(10)))
        }
        Outcome::Accepted { .. } | Outcome::Rejected { .. } => None,
    }
}

const fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted { .. } => "dispatch.accepted",
        Outcome::Rejected { .. } => "dispatch.rejected",
        Outcome::Later { .. } => "dispatch.put_off",
        Outcome::Unknown => "dispatch.outcome_unknown",
    }
}

async fn write(tx: &Tx, id: Uuid, written: &Written<'_>) -> Result<(), StoreError> {
    let params: super::Params<'_> = &[
        &id,
        &written.state.name(),
        &written.reference,
        &written.code,
        &written.again_at,
    ];
    tx.execute(WRITE, params).await.map(drop)
}

/// Locks the mailbox of a dispatch's patient, ahead of its case.
pub(super) async fn lock_mailbox(tx: &Tx, dispatch: Uuid) -> Result<(), StoreError> {
    let of = tx
        .query_opt(
            "SELECT patient_id FROM dispatches WHERE id = $1",
            &[&dispatch],
        )
        .await?;
    match of {
        Some(row) => locks::patients(tx, &[row.try_get(0)?]).await,
        None => Ok(()),
    }
}

const fn without(contacts: Contacts, channel: Channel, is_bad: bool) -> Contacts {
    match channel {
        Channel::Email => Contacts {
            email: contacts.email && !is_bad,
            ..contacts
        },
        Channel::Text => Contacts {
            text: contacts.text && !is_bad,
            ..contacts
        },
        Channel::Post => contacts,
    }
}

/// A contact that did not work is not tried again while it stays the same.
pub(super) async fn note_bad_contact(
    tx: &Tx,
    patient: Uuid,
    channel: Channel,
    contact: &str,
    code: &str,
) -> Result<(), StoreError> {
    const NOTE: &str =
        "INSERT INTO bad_contacts (patient_id, channel, contact, code) VALUES ($1, $2, $3, $4)
                        ON CONFLICT DO NOTHING";
    tx.execute(NOTE, &[&patient, &channel.name(), &contact, &code])
        .await
        .map(drop)
}

/// Whether a provider's code says that the address or number itself is of no use, rather than that something is
/// wrong on our side or on the way. Only then is the contact remembered as bad: a mistake of ours in the
/// provider's account must not strike everybody's number off.
///
/// Sources: RFC 3463 (X.1.x addressing, 5.2.1 mailbox disabled), RFC 5321 (550, 551, 553); Twilio's error list
/// (21211 invalid, 21610 opted out, 21614 not a mobile, 30005 unknown, 30006 unreachable carrier or landline).
pub(super) fn blames_contact(channel: Channel, code: &str) -> bool {
    match channel {
        Channel::Email => {
            let bad = ["5.1.", "5.2.1"];
            bad.iter().any(|prefix| code.starts_with(prefix))
                || ["550", "551", "553"].contains(&code)
        }
        Channel::Text => [
            "21211", "21217", "21610", "21614", "30004", "30005", "30006",
        ]
        .contains(&code),
        Channel::Post => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_about_the_contact_strike_it_off() {
        for (channel, code, expected) in [
            (Channel::Email, "5.1.1", true),
            (Channel::Email, "550", true),
            (Channel::Email, "5.7.1", false),
            (Channel::Text, "21614", true),
            (Channel::Text, "20003", false),
            (Channel::Post, "R01", false),
        ] {
            assert_eq!(blames_contact(channel, code), expected, "{code}");
        }
    }

    #[test]
    fn questions_about_an_unknown_message_become_rarer_but_never_stop_within_the_hour() {
        let now = DateTime::UNIX_EPOCH;
        let waits: Vec<i64> = (1..=9)
            .filter_map(|attempt| again_at(&Outcome::Unknown, None, now, attempt))
            .map(|at| (at - now).num_seconds())
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
    }
}
