//! A hospital's letters come in: one path for a single letter, a batch and a replacement.
//!
//! One transaction: letters, cases with their deadlines, events under the patients' locks, history and wake-ups;
//! and where the deadline is already past or the route is paper, the notice, the print item and the phone task
//! too. A bad item never fails its neighbours. What is decided stands in `decide.rs`, how it is written in
//! `write.rs`.

mod decide;
mod write;

use std::collections::BTreeSet;

use letterbox_domain::id::{CaseId, LetterId};

use super::forms::NewLetter;
use super::{Code, CommandError, Refusal, TrustSystem, Wake};
use crate::store::intake::{self, Asked};
use crate::store::{Store, StoreError, Tx, policies};

pub use super::letter_answer::LetterAnswer;

/// Most letters of one transaction: enough that the commit's cost is spread thin, few enough that locks are short.
pub const MOST: usize = 100;

/// How often a publication whose commit was cut is looked up again before the caller must ask himself.
const LOOKS: u32 = 3;

/// What came of one letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishResult {
    /// It is new, and safe.
    Published(LetterAnswer),
    /// It was here already, with the same content: nothing was changed.
    Repeated(LetterAnswer),
    /// It was not taken in.
    Refused(Refusal),
}

/// What came of a call: one result a letter, in their order, and whom to wake.
#[derive(Debug)]
pub struct Publication {
    /// In the order of the letters.
    pub results: Vec<PublishResult>,
    /// What the commit brought about.
    pub wake: Wake,
}

/// Publishes letters of one trust.
///
/// # Errors
/// [`CommandError::Refused`] for more than [`MOST`] letters; [`CommandError::Store`] when nothing was done, or, as
/// [`StoreError::CommitUnknown`], when it cannot be told even after looking again: sending the same letters again
/// is safe in any case.
pub async fn publish_letters(
    store: &Store,
    sender: &TrustSystem,
    letters: &[NewLetter],
) -> Result<Publication, CommandError> {
    let items: Vec<Item<'_>> = letters
        .iter()
        .map(|letter| Item::new(letter, None))
        .collect();
    publish(store, sender, &items).await
}

/// Publishes a letter in the place of another, which disappears in the same instant. One result.
///
/// # Errors
/// As [`publish_letters`].
pub async fn replace_letter(
    store: &Store,
    sender: &TrustSystem,
    replaced_source_id: &str,
    letter: &NewLetter,
) -> Result<Publication, CommandError> {
    publish(
        store,
        sender,
        &[Item::new(letter, Some(replaced_source_id))],
    )
    .await
}

/// A letter with the ids that it keeps however often the transaction is tried.
struct Item<'a> {
    form: &'a NewLetter,
    form_sha256: [u8; 32],
    /// The trust's id of the letter it replaces.
    replaces: Option<&'a str>,
    id: LetterId,
    case: CaseId,
}

impl<'a> Item<'a> {
    fn new(form: &'a NewLetter, replaces: Option<&'a str>) -> Self {
        Self {
            form,
            form_sha256: form.form_sha256(),
            replaces,
            id: LetterId::random(),
            case: CaseId::random(),
        }
    }
}

async fn publish(
    store: &Store,
    sender: &TrustSystem,
    items: &[Item<'_>],
) -> Result<Publication, CommandError> {
    if items.len() > MOST {
        let detail = format!("Send at most {MOST} letters in one call.");
        return Err(Refusal::new(Code::TooManyItems, detail).into());
    }
    let principal = sender.principal();
    let mut looks = 0;
    loop {
        let work = |tx| attempt(tx, sender, items);
        match store
            .run_to_commit("letters.publish", &principal, work)
            .await
        {
            // The same ids are looked for again: what was committed answers as published, the rest is done now.
            Err(CommandError::Store(StoreError::CommitUnknown)) if looks < LOOKS => looks += 1,
            settled => return settled,
        }
    }
}

async fn attempt(
    tx: Tx,
    sender: &TrustSystem,
    items: &[Item<'_>],
) -> Result<Publication, CommandError> {
    let found = intake::gather(&tx, sender.trust, &asked(items)).await?;
    let policy = policies::get(&tx, sender.trust, found.trust.policy_version).await?;
    let mut decisions = decide::Decisions::new(sender, &found, &policy);
    for item in items {
        decisions.take(item);
    }
    Ok(decisions.write(tx).await?)
}

/// Each thing once: a batch is often of one specialty, and one file may go to many.
fn asked<'a>(items: &'a [Item<'_>]) -> Asked<'a> {
    let each = |of: &dyn Fn(&'a Item<'_>) -> Option<&'a str>| -> Vec<&'a str> {
        items
            .iter()
            .filter_map(of)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    };
    let mut letters = each(&|item| Some(&item.form.source_id));
    letters.extend(items.iter().filter_map(|item| item.replaces));
    let documents: BTreeSet<&[u8]> = items
        .iter()
        .map(|item| item.form.document.as_slice())
        .collect();
    Asked {
        patients: each(&|item| Some(&item.form.patient)),
        letters,
        documents: documents.into_iter().collect(),
        appointments: each(&|item| item.form.appointment.as_deref()),
        specialties: each(&|item| Some(&item.form.specialty)),
    }
}
