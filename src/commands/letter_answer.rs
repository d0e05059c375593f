//! How a letter stands, as its trust is told: the same sentence that the patient reads.

use chrono::{DateTime, Utc};
use letterbox_domain::id::LetterId;
use letterbox_domain::letter::LetterState;
use letterbox_domain::policy::Policy;
use letterbox_domain::route::{Route, RouteReason};

use super::letter_timeline::{self, Moment, timeline};
use super::{Code, CommandError, Refusal, TrustSystem, calendars};
use crate::store::letters::{self, KnownLetter};
use crate::store::standing::Facts;
use crate::store::{Store, StoreError, Tx, history, policies};

/// How a letter stands, as the trust is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterAnswer {
    /// Our id of it.
    pub letter_id: LetterId,
    /// The trust's id of it.
    pub source_id: String,
    /// Held, published, opened, withdrawn or superseded.
    pub state: LetterState,
    /// Who delivers; binding.
    pub route: Route,
    /// Why.
    pub reason: RouteReason,
    /// The dated sentence that everybody reads.
    pub promise: String,
    /// When it was committed, or released.
    pub published_at: DateTime<Utc>,
    /// When paper or a person takes over.
    pub deadline_at: Option<DateTime<Utc>>,
    /// The cut-off at which it is posted unless it is opened before.
    pub post_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub opened_at: Option<DateTime<Utc>>,
    /// When the print house acknowledged it.
    pub posted_at: Option<DateTime<Utc>>,
}

/// How the trust's letter with this id of its own stands now.
///
/// # Errors
/// [`Code::UnknownLetter`] when there is none of this trust; not there and not yours look alike.
pub async fn ask_letter(
    store: &Store,
    sender: &TrustSystem,
    source_id: &str,
) -> Result<LetterAnswer, CommandError> {
    Ok(ask_letters_story(store, sender, source_id).await?.0)
}

/// The same with everything that has happened to it so far, oldest first.
///
/// # Errors
/// As [`ask_letter`].
pub async fn ask_letters_story(
    store: &Store,
    sender: &TrustSystem,
    source_id: &str,
) -> Result<(LetterAnswer, Vec<Moment>), CommandError> {
    let tx = store.begin_snapshot(&sender.principal()).await?;
    let letter = find(&tx, sender, source_id).await?;
    let answer = answer_pinned(&tx, sender, &letter).await?;
    let lines = history::of_letter(&tx, letter.id).await?;
    tx.commit().await?;
    let told = letter_timeline::Told {
        by_carer: letter.facts.opened_by_carer.is_some(),
        by_portal: letter.facts.route == Route::Portal,
    };
    Ok((answer, timeline(&lines, told)))
}

/// The trust's letter with this id of its own.
pub(super) async fn find(
    tx: &Tx,
    sender: &TrustSystem,
    source_id: &str,
) -> Result<KnownLetter, CommandError> {
    let found = letters::known(tx, sender.trust, &[source_id]).await?.pop();
    found.ok_or_else(|| {
        Refusal::new(Code::UnknownLetter, "No letter of your trust has this id.").into()
    })
}

/// The answer under the policy that the letter was published with.
pub(super) async fn answer_pinned(
    tx: &Tx,
    sender: &TrustSystem,
    letter: &KnownLetter,
) -> Result<LetterAnswer, StoreError> {
    let policy = match &letter.facts.case {
        Some(case) => policies::get(tx, sender.trust, case.policy_version).await?,
        None => policies::current(tx, sender.trust).await?,
    };
    Ok(answer(letter, &policy))
}

/// How a letter that is here stands. `policy` is its case's, or the trust's present one where it has none.
pub(super) fn answer(letter: &KnownLetter, policy: &Policy) -> LetterAnswer {
    Told {
        id: letter.id,
        source_id: &letter.source_id,
        reason: letter.reason,
        published_at: letter.published_at,
    }
    .answer(&letter.facts, policy, letter.now)
}

/// What an answer says besides how the letter stands.
pub(super) struct Told<'a> {
    pub(super) id: LetterId,
    pub(super) source_id: &'a str,
    pub(super) reason: RouteReason,
    pub(super) published_at: DateTime<Utc>,
}

impl Told<'_> {
    pub(super) fn answer(
        &self,
        facts: &Facts,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> LetterAnswer {
        let case = facts.case.as_ref();
        LetterAnswer {
            letter_id: self.id,
            source_id: self.source_id.to_owned(),
            state: facts.state,
            route: facts.route,
            reason: self.reason,
            promise: facts.promise(policy, calendars(), now),
            published_at: self.published_at,
            deadline_at: case.map(|case| case.deadline_at),
            post_at: case.and_then(|case| case.promised_at),
            opened_at: facts.opened_at,
            posted_at: facts.posted_at,
        }
    }
}
