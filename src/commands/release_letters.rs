//! Held letters whose time has come enter their mailboxes, and their deadlines begin to run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{LetterId, PatientId, TrustId};
use letterbox_domain::ladder::{plan_letter, plan_post};
use letterbox_domain::policy::Policy;
use letterbox_domain::route::Route;
use serde_json::json;

use super::births::{Birth, Of};
use super::{CommandError, Wake, calendars};
use crate::store::climbs::{self, Climb};
use crate::store::events::{self, Locked, NewEvent};
use crate::store::history::{self, Entry};
use crate::store::intake::{PatientFacts, lock_by_id};
use crate::store::letters::{self, HeldLetter, NewCase};
use crate::store::{Principal, Store, StoreError, Tx, policies};

/// Releases up to `limit` letters that are due; answers how many, and whom to wake.
///
/// # Errors
/// [`CommandError::Store`]; nothing is lost, the next sweep finds them again.
pub async fn release_due_letters(
    store: &Store,
    principal: &Principal,
    limit: i64,
) -> Result<(usize, Wake), CommandError> {
    store
        .run("letters.release", principal, |tx| {
            attempt(tx, principal, limit)
        })
        .await
}

/// A letter that is released, with its new plan where it has a case that nobody has moved yet.
struct Released {
    letter: HeldLetter,
    birth: Option<(Birth, Arc<Policy>)>,
}

async fn attempt(tx: Tx, principal: &Principal, limit: i64) -> Result<(usize, Wake), CommandError> {
    let waiting = letters::patients_with_releases(&tx, limit).await?;
    let (patients, mailboxes) = lock_by_id(&tx, &waiting).await?;
    let Some(mut mailboxes) = mailboxes else {
        return Ok((0, Wake::default()));
    };
    let mut released = Vec::new();
    for letter in letters::due_for_release(&tx, &waiting).await? {
        released.push(plan_afresh(&tx, letter, &patients, &mailboxes).await?);
    }
    let wake = write(&tx, principal, &released, &mut mailboxes).await?;
    Ok((released.len(), wake))
}

async fn plan_afresh(
    tx: &Tx,
    letter: HeldLetter,
    patients: &BTreeMap<PatientId, PatientFacts>,
    mailboxes: &Locked,
) -> Result<Released, StoreError> {
    let Some((case, version, false)) = letter.case else {
        return Ok(Released {
            letter,
            birth: None,
        });
    };
    let policy = policies::get(tx, letter.trust, version).await?;
    let (now, start) = (mailboxes.now, letter.known_by);
    let plan = match letter.route {
        Route::Portal => plan_letter(&policy, calendars(), letter.kind, now, start),
        Route::WePost | Route::YouPost => plan_post(&policy, calendars(), now, start),
    };
    let facts = patients.get(&letter.patient);
    let contacts = facts
        .ok_or_else(|| StoreError::corrupt("letters", "patient_id", "the patient is not locked"))?;
    let plan = plan.promising_paper_to(contacts.contacts.address);
    let birth = Birth::now(case, plan, &policy, contacts.contacts, now);
    Ok(Released {
        letter,
        birth: Some((birth, policy)),
    })
}

async fn write(
    tx: &Tx,
    principal: &Principal,
    released: &[Released],
    mailboxes: &mut Locked,
) -> Result<Wake, StoreError> {
    let cases: Vec<NewCase> = released
        .iter()
        .filter_map(|one| Some(one.birth.as_ref()?.0.case.clone()))
        .collect();
    letters::replan(tx, &cases).await?;
    let ids: Vec<LetterId> = released.iter().map(|one| one.letter.id).collect();
    letters::release(tx, &ids).await?;
    let climbs: Vec<Climb<'_>> = released.iter().filter_map(Released::climb).collect();
    let channels = climbs::apply(tx, principal, calendars(), mailboxes.now, &climbs).await?;
    let news: Vec<NewEvent> = released.iter().map(Released::event).collect();
    let events = mailboxes.number(&news)?;
    events::write(tx, &events).await?;
    let history: Vec<Entry> = released.iter().map(Released::entry).collect();
    history::append(tx, principal, &history).await?;
    let trusts: BTreeSet<TrustId> = released.iter().map(|one| one.letter.trust).collect();
    Ok(Wake {
        events,
        cases: trusts,
        channels,
    })
}

impl Released {
    fn climb(&self) -> Option<Climb<'_>> {
        let (birth, policy) = self.birth.as_ref()?;
        birth.climb(&Of {
            trust: self.letter.trust,
            patient: self.letter.patient,
            subject: Some(self.letter.id.as_uuid()),
            policy,
            known_by: self.letter.known_by,
        })
    }

    fn event(&self) -> NewEvent {
        let planned = self
            .birth
            .as_ref()
            .map(|(birth, _)| birth.case.plan.post_at);
        NewEvent {
            patient: self.letter.patient,
            kind: EventKind::LetterPublished,
            item: ItemRef::Letter(self.letter.id),
            share: self.letter.kind.share(),
            restricted: self.letter.restricted,
            due: planned.unwrap_or(self.letter.promised_at),
        }
    }

    fn entry(&self) -> Entry {
        let case = self.birth.as_ref().map(|(birth, _)| &birth.case);
        Entry {
            trust: self.letter.trust.as_uuid(),
            patient: Some(self.letter.patient.as_uuid()),
            subject_kind: "letter",
            subject: self.letter.id.as_uuid(),
            kind: "letter.released",
            policy_version: case.map(|case| case.policy_version),
            facts: json!({
                "case": case.map(|case| case.id.as_uuid()),
                "deadline_at": case.map(|case| case.plan.deadline),
                "promised_at": case.and_then(|case| case.plan.post_at),
            }),
        }
    }
}
