//! What the world outside knows, rebuilt from the journal at every start.
//!
//! There is one path: an entry is made durable, then applied here. Replay applies the same entries.
//! Nothing here is ever the only copy of an accepted effect.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::entry::{Entry, Line, MailAccepted, Printed, TextAccepted};
use crate::faults::Faults;
use crate::journal::Journal;

/// Texts kept for look-ups; the oldest go first. Ten times what the longest test sends.
const TEXTS_MAX: usize = 50_000;
/// Mails and envelopes kept for showing; the journal holds all of them.
const SHOWN_MAX: usize = 1_000;

/// A text as the provider sees it.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) accepted: TextAccepted,
    pub(crate) status: String,
    pub(crate) error_code: Option<u32>,
    pub(crate) created_at: DateTime<Utc>,
    /// Unknown until the text has left for the phone.
    pub(crate) sent_at: Option<DateTime<Utc>>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// One printed envelope.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) n: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) printed: Printed,
    /// How often this (letter, version) had been printed, this time included.
    pub(crate) copy: u32,
    /// Why it came back, if it did.
    pub(crate) returned: Option<String>,
}

/// What the print house said about one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) letter_id: String,
    pub(crate) version: u64,
    /// `None` when it was printed.
    pub(crate) refused: Option<String>,
}

/// A batch that the print house has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) answered: Vec<Answered>,
    /// Of its manifest; set once the acknowledgement is in place.
    pub(crate) acknowledged: Option<String>,
    /// The folder could not be read as a batch.
    pub(crate) refused: bool,
}

/// All that is remembered.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) texts: BTreeMap<u64, Text>,
    pub(crate) text_numbers: HashMap<String, u64>,
    pub(crate) mails: VecDeque<(u64, DateTime<Utc>, MailAccepted)>,
    pub(crate) envelopes: VecDeque<Envelope>,
    pub(crate) batches: HashMap<String, Batch>,
    pub(crate) copies: HashMap<(String, u64), u32>,
    pub(crate) counts: Counts,
}

/// Totals since the last reset.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) texts: u64,
    pub(crate) mails: u64,
    pub(crate) prints: u64,
}

impl State {
    /// Takes in one entry; used by replay and by life alike.
    pub(crate) fn apply(&mut self, line: Line) {
        let Line { n, at, entry } = line;
        match entry {
            Entry::TextAccepted(accepted) => self.text_accepted(n, at, accepted),
            Entry::TextStatus {
                sid,
                status,
                error_code,
            } => self.text_status(&sid, at, status, error_code),
            Entry::MailAccepted(mail) => {
                self.counts.mails += 1;
                push_bounded(&mut self.mails, (n, at, mail));
            }
            Entry::Printed(printed) => self.printed(n, at, printed),
            Entry::PrintRefused {
                batch,
                letter_id,
                version,
                reason,
            } => self
                .batches
                .entry(batch)
                .or_default()
                .answered
                .push(Answered {
                    letter_id,
                    version,
                    refused: Some(reason),
                }),
            Entry::BatchAcknowledged {
                batch,
                manifest_sha256,
                ..
            } => self.batches.entry(batch).or_default().acknowledged = Some(manifest_sha256),
            Entry::BatchRefused { batch, .. } => {
                self.batches.entry(batch).or_default().refused = true;
            }
            Entry::Returned {
                batch,
                letter_id,
                version,
                reason,
            } => self.returned(&batch, &letter_id, version, &reason),
            Entry::Reset { batches } => self.reset(batches),
            Entry::Started { .. }
            | Entry::TextRefused { .. }
            | Entry::Callback { .. }
            | Entry::MailRefused { .. }
            | Entry::BatchDuplicate { .. } => {}
        }
    }

    fn text_accepted(&mut self, n: u64, at: DateTime<Utc>, accepted: TextAccepted) {
        self.counts.texts += 1;
        self.text_numbers.insert(accepted.sid.clone(), n);
        let text = Text {
            status: accepted.status.clone(),
            accepted,
            error_code: None,
            created_at: at,
            sent_at: None,
            updated_at: at,
        };
        self.texts.insert(n, text);
        if self.texts.len() > TEXTS_MAX
            && let Some((_, oldest)) = self.texts.pop_first()
        {
            self.text_numbers.remove(&oldest.accepted.sid);
        }
    }

    fn text_status(&mut self, sid: &str, at: DateTime<Utc>, status: String, code: Option<u32>) {
        let Some(text) = self
            .text_numbers
            .get(sid)
            .and_then(|n| self.texts.get_mut(n))
        else {
            return;
        };
        if status != "queued" {
            text.sent_at.get_or_insert(at);
        }
        text.status = status;
        text.error_code = code;
        text.updated_at = at;
    }

    /// The text with this identifier.
    pub(crate) fn text(&self, sid: &str) -> Option<&Text> {
        self.text_numbers.get(sid).and_then(|n| self.texts.get(n))
    }

    fn printed(&mut self, n: u64, at: DateTime<Utc>, printed: Printed) {
        self.counts.prints += 1;
        let copies = self
            .copies
            .entry((printed.letter_id.clone(), printed.version))
            .or_default();
        *copies += 1;
        let copy = *copies;
        let batch = self.batches.entry(printed.batch.clone()).or_default();
        batch.answered.push(Answered {
            letter_id: printed.letter_id.clone(),
            version: printed.version,
            refused: None,
        });
        let envelope = Envelope {
            n,
            at,
            printed,
            copy,
            returned: None,
        };
        push_bounded(&mut self.envelopes, envelope);
    }

    fn returned(&mut self, batch: &str, letter_id: &str, version: u64, reason: &str) {
        for envelope in &mut self.envelopes {
            let printed = &envelope.printed;
            if printed.batch == batch
                && printed.letter_id == letter_id
                && printed.version == version
            {
                envelope.returned = Some(reason.to_owned());
            }
        }
    }

    /// Batches that still lie in the drop stay known, or they would be printed again.
    fn reset(&mut self, batches: Vec<String>) {
        *self = Self::default();
        let known = batches.into_iter().map(|name| {
            let batch = Batch {
                acknowledged: Some(String::new()),
                ..Batch::default()
            };
            (name, batch)
        });
        self.batches = known.collect();
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == SHOWN_MAX {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// The journal, what follows from it, and the knobs; shared by every service.
pub(crate) struct World {
    pub(crate) journal: Journal,
    state: Mutex<State>,
    faults: Mutex<Faults>,
}

impl World {
    /// Rebuilds what is known from the journal's lines.
    pub(crate) fn rebuild(journal: Journal, lines: Vec<Line>) -> Self {
        let mut state = State::default();
        lines.into_iter().for_each(|line| state.apply(line));
        Self {
            journal,
            state: Mutex::new(state),
            faults: Mutex::default(),
        }
    }

    /// Makes the entries durable, then takes them in. When this returns `Ok`, they have happened.
    ///
    /// # Errors
    /// When the journal refuses; then nothing has happened.
    pub(crate) async fn record(self: &Arc<Self>, entries: Vec<Entry>) -> Result<()> {
        let world = Arc::clone(self);
        // A task of its own: a client that hangs up must not keep us from taking in what is on disk.
        let recorded = tokio::spawn(async move {
            let lines = world.journal.append(entries).await?;
            let mut state = world.state();
            lines.into_iter().for_each(|line| state.apply(line));
            anyhow::Ok(())
        });
        recorded.await?
    }

    /// Writes down something that only readers of the journal care about. A refusal of the journal is
    /// printed: there is nobody to tell.
    pub(crate) async fn note(self: &Arc<Self>, entry: Entry) {
        if let Err(error) = self.record(vec![entry]).await {
            eprintln!("letterbox-sandbox: not written down: {error:#}");
        }
    }

    /// Forgets everything but the names of these batches.
    ///
    /// # Errors
    /// When the journal refuses.
    pub(crate) async fn reset(&self, batches: Vec<String>) -> Result<()> {
        let lines = self.journal.restart_with(Entry::Reset { batches }).await?;
        lines.into_iter().for_each(|line| self.state().apply(line));
        *self.faults() = Faults::default();
        Ok(())
    }

    /// What is known; never held across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The knobs; never held across an await.
    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
