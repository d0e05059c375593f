//! A person opens a letter: first [`begin`] (rights, nonce, audit, content), then, once the whole body has been written
//! to them, [`finish`]. Only the second counts as reading; nothing here is ever called for a GET.

use bytes::Bytes;
use letterbox_domain::event::{Event, ItemRef};
use letterbox_domain::id::{AccountId, LetterId, PatientId, TrustId};
use letterbox_domain::letter::LetterState;

use crate::store::openings::{self, Openable, Opening};
use crate::store::{Principal, Retryable, Store, StoreError, Tx, circle};

/// In which form the letter is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The trust's own file.
    Pdf,
    /// The full text that the trust gave with it.
    FullText,
}

/// The letter's whole content.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// The file.
    Pdf(Bytes),
    /// The text, as the trust gave it: not yet sanitised.
    FullText(String),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pdf(_) => "Pdf(…)",
            Self::FullText(_) => "FullText(…)",
        })
    }
}

/// A letter that is being handed over. Holding one is having been allowed.
#[derive(Clone, Debug)]
pub struct Viewing {
    /// The letter.
    pub letter: LetterId,
    /// Whose.
    pub patient: PatientId,
    /// From whom.
    pub trust: TrustId,
    /// What is written to the reader.
    pub content: Content,
    account: AccountId,
    counts: bool,
}

/// Why a letter is not handed over.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such letter for this account; also when it exists and is somebody else's.
    #[error("there is no such letter for this account")]
    NotFound,
    /// The form was sent before, or too late: show the letter's page again with a new one.
    #[error("the form has been used: show it again")]
    FormUsed,
    /// It was taken back or replaced: the page says so.
    #[error("the letter has been withdrawn")]
    Withdrawn,
    /// The trust gave no full text.
    #[error("the letter has no full text")]
    NoFullText,
    /// Try again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Retryable for OpenError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_contention())
    }
}

/// What handing over the whole letter changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// It is open now, by this or an earlier reading that counts.
    pub is_open: bool,
    /// What the mailbox hears.
    pub events: Vec<Event>,
}

/// Checks that this account may have the letter, uses the form's nonce up, writes the audit row, and answers the
/// content. `nonce_sha256` is the hash of a nonce that the caller has found to be its own and fresh.
///
/// # Errors
/// [`OpenError`]; a refusal is in the audit too.
pub async fn begin(
    store: &Store,
    account: AccountId,
    letter: LetterId,
    nonce_sha256: &[u8; 32],
    form: Form,
) -> Result<Viewing, OpenError> {
    let principal = Principal::Account { account };
    let look = |tx: Tx| async move {
        match allowed(&tx, account, letter).await? {
            Ok((found, counts)) => hand_over(&tx, account, found, counts, nonce_sha256, form)
                .await
                .map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    };
    // A refusal is committed too: the attempt stays in the audit.
    store.run("letters.view", &principal, look).await?
}

/// The whole content has been written to the reader. Idempotent; a reading that does not count changes nothing.
///
/// # Errors
/// Any [`StoreError`]; the letter then counts as unread and goes its way.
pub async fn finish(store: &Store, viewing: &Viewing) -> Result<Opened, StoreError> {
    if !viewing.counts {
        return Ok(Opened {
            is_open: true,
            events: Vec::new(),
        });
    }
    let (account, letter) = (viewing.account, viewing.letter);
    let open = |tx: Tx| async move { openings::open_letter(&tx, account, letter).await };
    let opening = store
        .run("letters.open", &Principal::Account { account }, open)
        .await?;
    Ok(match opening {
        Opening::Opened(events) => Opened {
            is_open: true,
            events,
        },
        Opening::Unchanged => Opened {
            is_open: true,
            events: Vec::new(),
        },
        Opening::Forbidden => Opened {
            is_open: false,
            events: Vec::new(),
        },
    })
}

/// The letter, and whether handing it over counts as reading.
async fn allowed(
    tx: &Tx,
    account: AccountId,
    letter: LetterId,
) -> Result<Result<(Openable, bool), OpenError>, StoreError> {
    let Some(found) = openings::openable(tx, letter).await? else {
        openings::refused(tx, account, "letter.view", ItemRef::Letter(letter)).await?;
        return Ok(Err(OpenError::NotFound));
    };
    let item = ItemRef::Letter(letter);
    let viewer = circle::viewer(tx, account, found.patient).await?;
    let counts = viewer
        .as_ref()
        .and_then(|viewer| openings::rights(viewer, &found));
    let seen = openings::Look {
        account,
        trust: found.trust,
        patient: found.patient,
        action: "letter.view",
        item,
    };
    openings::seen(tx, &seen, counts.is_some()).await?;
    Ok(match counts {
        Some(counts) => Ok((found, counts)),
        None if is_gone(found.state) && viewer.is_some_and(|viewer| sees(&viewer, &found)) => {
            Err(OpenError::Withdrawn)
        }
        None => Err(OpenError::NotFound),
    })
}

fn sees(viewer: &letterbox_domain::circle::Viewer, letter: &Openable) -> bool {
    viewer.sees(letter.share, letter.restricted, letter.hidden)
}

const fn is_gone(state: LetterState) -> bool {
    matches!(state, LetterState::Withdrawn | LetterState::Superseded)
}

async fn hand_over(
    tx: &Tx,
    account: AccountId,
    found: Openable,
    counts: bool,
    nonce_sha256: &[u8; 32],
    form: Form,
) -> Result<Viewing, OpenError> {
    if !openings::use_nonce(tx, nonce_sha256).await? {
        return Err(OpenError::FormUsed);
    }
    let content = match form {
        Form::Pdf => Content::Pdf(openings::content(tx, found.document).await?),
        Form::FullText => Content::FullText(
            openings::full_text(tx, found.letter)
                .await?
                .ok_or(OpenError::NoFullText)?,
        ),
    };
    let (letter, patient, trust) = (found.letter, found.patient, found.trust.into());
    Ok(Viewing {
        letter,
        patient,
        trust,
        content,
        account,
        counts,
    })
}
