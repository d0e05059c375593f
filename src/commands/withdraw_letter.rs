//! A hospital takes a letter back: it disappears from the list, what has not left is called off, and where it had
//! been read or posted already a person is asked to put it right.

use std::collections::BTreeSet;

use letterbox_domain::case::{Annotation, CaseEnd, CaseState, Ending};
use letterbox_domain::event::EventKind;
use letterbox_domain::letter::LetterState;

use super::forms::check_line;
use super::letter_answer::{LetterAnswer, answer_pinned, find};
use super::{Code, CommandError, Refusal, TrustSystem, Wake, calendars};
use crate::store::letters::{self, KnownLetter};
use crate::store::{Store, StoreError, Tx, endings, events, history, policies};

/// Withdraws the trust's letter with this id of its own. `reason` is shown to the patient.
///
/// Withdrawing it again changes nothing and gives the same answer.
///
/// # Errors
/// [`Code::UnknownLetter`]; [`Code::LetterGone`] when it has been replaced; [`Code::InvalidField`] for the reason.
pub async fn withdraw_letter(
    store: &Store,
    sender: &TrustSystem,
    source_id: &str,
    reason: &str,
) -> Result<(LetterAnswer, Wake), CommandError> {
    check_line("/reason", reason, 200)?;
    let work = |tx| attempt(tx, sender, source_id, reason);
    match store
        .run("letters.withdraw", &sender.principal(), work)
        .await
    {
        // Withdrawing is its own key: asked again, it either has happened or happens now.
        Err(CommandError::Store(StoreError::CommitUnknown)) => {
            store
                .run("letters.withdraw", &sender.principal(), work)
                .await
        }
        settled => settled,
    }
}

async fn attempt(
    tx: Tx,
    sender: &TrustSystem,
    source_id: &str,
    reason: &str,
) -> Result<(LetterAnswer, Wake), CommandError> {
    let patient = find(&tx, sender, source_id).await?.patient;
    events::lock(&tx, &[patient]).await?;
    let letter = find(&tx, sender, source_id).await?;
    match letter.facts.state {
        LetterState::Withdrawn => {
            return Ok((answer_pinned(&tx, sender, &letter).await?, Wake::default()));
        }
        LetterState::Superseded => {
            let detail = "This letter has been replaced. Withdraw the letter that replaced it.";
            return Err(Refusal::new(Code::LetterGone, detail).into());
        }
        LetterState::Held | LetterState::Published | LetterState::Opened => {}
    }
    let wake = withdraw(&tx, sender, &letter, reason).await?;
    let letter = find(&tx, sender, source_id).await?;
    Ok((answer_pinned(&tx, sender, &letter).await?, wake))
}

async fn withdraw(
    tx: &Tx,
    sender: &TrustSystem,
    letter: &KnownLetter,
    reason: &str,
) -> Result<Wake, StoreError> {
    let cases: Vec<_> = letter.case.into_iter().collect();
    endings::end(tx, &cases, CaseEnd::Withdrawn, Some("withdrawn_by_trust")).await?;
    letters::take_back(tx, &[letter.id], LetterState::Withdrawn, Some(reason)).await?;
    let noted = noted(letter);
    if let Some(case) = letter
        .case
        .filter(|_| noted.is_some_and(Annotation::needs_a_person))
    {
        let policy = policies::current(tx, sender.trust).await?;
        let due_at = policy.escalate_after.after(letter.now, calendars());
        letters::owe_correction(tx, sender.trust, case, due_at).await?;
    }
    let news: Vec<_> = letter
        .gone(EventKind::LetterWithdrawn)
        .into_iter()
        .collect();
    let events = events::append(tx, &news).await?;
    let mut entry = letter.gone_entry(sender.trust.as_uuid(), "letter.withdrawn");
    if let Some(noted) = noted {
        entry.facts["noted"] = noted.name().into();
    }
    history::append(tx, &sender.principal(), &[entry]).await?;
    Ok(Wake {
        events,
        cases: BTreeSet::from([sender.trust]),
        ..Wake::default()
    })
}

/// What withdrawing means for a case that has ended already.
fn noted(letter: &KnownLetter) -> Option<Annotation> {
    let (end, _) = letter.facts.case.as_ref()?.end?;
    match CaseState::Ended(end).hears(CaseEnd::Withdrawn, true) {
        Ending::Noted(annotation) => Some(annotation),
        Ending::Ends(_) | Ending::Known => None,
    }
}
