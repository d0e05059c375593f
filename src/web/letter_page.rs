//! What a letter's page says: promise, facts, the ways of opening it, its paper, and the thread that it stands in.
//! Shows only what its reader sees; opens nothing.

use chrono::{DateTime, Utc};
use letterbox_domain::circle::ShareKind;

use super::documents::{caution_of, hint_of, promise_of, sees, tag_of, ways};
use super::failure::Failure;
use super::model::{Fact, LetterBody, ThreadRow};
use super::page::Chrome;
use super::portal::{Desk, live};
use super::{hiding, nonce, paper, words};
use crate::commands::calendars;
use crate::store::pages::{self, LetterView};

/// The page without its thread.
pub(super) fn composed(
    desk: &Desk,
    letter: &LetterView,
    text: Option<&str>,
) -> (Chrome, LetterBody) {
    let at = format!("{}/{}", desk.letters_at, letter.id);
    let mut chrome = desk.chrome(&letter.title);
    chrome.live = live(format!("{at}/now.json"), at.clone(), "Check again");
    let ways = ways(desk, letter);
    let (tag, tone) = tag_of(&letter.facts.standing(&letter.policy, calendars()));
    let mint = || nonce::mint(&desk.reader.session, letter.id);
    let own = desk.viewing.is_none();
    let undo = letter
        .dispute
        .filter(|dispute| own && dispute.may_undo(letter.now))
        .and_then(letterbox_domain::dispute::Dispute::undo_until);
    let body = LetterBody {
        title: letter.title.clone(),
        back_url: desk.letters_at.clone(),
        tag,
        tone,
        promise: promise_of(desk, letter),
        caution: caution_of(letter),
        facts: facts(desk, letter),
        full_text: text.map(words::paragraphs).unwrap_or_default(),
        view_url: ways.view.then(|| format!("{at}/view")),
        nonce: ways.view.then(mint),
        text_url: (ways.view && letter.has_text).then(|| format!("{at}/read")),
        text_nonce: (ways.view && letter.has_text).then(mint),
        file_url: ways.again.then(|| format!("{at}/file")),
        download_url: (ways.again && desk.keeps_files()).then(|| format!("{at}/download")),
        wrong_url: letter.dispute.is_none().then(|| format!("{at}/wrong")),
        paper: paper::paper_of(letter),
        paper_url: (own && paper::may_ask(letter)).then(|| format!("{at}/paper")),
        reason: letter.withdrawn_reason.clone(),
        undo: undo.map(|until| {
            format!(
                "You told us that this letter is not yours. If that was a mistake, you can take it back until {}.",
                words::time(until)
            )
        }),
        undo_url: undo.is_some().then(|| format!("{at}/not-mine/undo")),
        thread: Vec::new(),
        thread_about: appointment_at(desk, letter).map(words::day_and_time),
        hint: hint_of(desk, letter, &ways),
        // What is said not to be theirs is hidden from carers already.
        hide: hiding::button(desk, &at, letter.hidden).filter(|_| letter.dispute.is_none()),
        pages: letter.pages,
        size: words::size(letter.size_bytes),
        clinic: letter.clinic.clone(),
        contact: words::contact(&letter.contact_phone, letter.contact_hours.as_deref()),
    };
    (chrome, body)
}

/// The thread that the letter stands in, as far as the reader sees it.
pub(super) async fn threaded(
    desk: &Desk,
    letter: &LetterView,
    body: &mut LetterBody,
) -> Result<(), Failure> {
    let mut thread = pages::thread(&desk.reader.tx, letter).await?;
    thread.retain(|other| sees(desk, other));
    if thread.is_empty() {
        return Ok(());
    }
    thread.push(letter.clone());
    thread.sort_by_key(|one| std::cmp::Reverse((one.published_at, one.id)));
    let note = |one: &LetterView| {
        let replaced = thread.iter().find(|other| Some(other.id) == one.replaces);
        let replaces = replaced.map(|other| format!("Replaces the letter sent {}.", sent(other)));
        one.withdrawn_reason.clone().or(replaces)
    };
    body.thread = thread
        .iter()
        .map(|one| {
            let (tag, tone) = tag_of(&one.facts.standing(&one.policy, calendars()));
            ThreadRow {
                title: one.title.clone(),
                sent: format!("sent {}", sent(one)),
                tag,
                tone,
                promise: promise_of(desk, one),
                note: note(one),
                url: (one.id != letter.id).then(|| format!("{}/{}", desk.letters_at, one.id)),
            }
        })
        .collect();
    Ok(())
}

fn sent(letter: &LetterView) -> String {
    words::date_and_time(letter.published_at)
}

/// When the appointment is that the letter is about: for the patient, and for carers who share appointments. Rows that
/// such a carer may not see (hidden, sensitive) do not come out of the database in the first place.
fn appointment_at(desk: &Desk, letter: &LetterView) -> Option<DateTime<Utc>> {
    let shared = desk.viewer.sees(ShareKind::Appointments, false, false);
    letter.appointment_at.filter(|_| shared)
}

fn facts(desk: &Desk, letter: &LetterView) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("From", &letter.trust),
        Fact::new("Clinic", &letter.clinic),
        Fact::new("Sent", words::date_and_time(letter.published_at)),
    ];
    if let Some(at) = appointment_at(desk, letter) {
        facts.push(Fact::new("Appointment", words::day_and_time(at)));
    }
    facts
}
