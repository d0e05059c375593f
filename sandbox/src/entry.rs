//! What the world outside writes down: one entry per effect, in the past tense.
//!
//! The journal of these entries is the judge in crash tests. An entry is durable before anybody is
//! told that the effect happened, so an accepted text, mail or printed letter can never be missing here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One line of the journal: its number, when it was written, and what happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// Rises by one; never reused, not even after a reset.
    pub n: u64,
    /// The sandbox's own clock.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Something that happened in the world outside.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The sandbox came up, having read this many earlier lines.
    Started { lines: u64 },
    /// The text provider took a message: it will reach the phone.
    TextAccepted(TextAccepted),
    /// The text provider said no.
    TextRefused { to: String, code: u32 },
    /// A text moved on: queued, sent, delivered, undelivered.
    TextStatus {
        sid: String,
        status: String,
        error_code: Option<u32>,
    },
    /// A status callback was attempted; `outcome` is the HTTP status or the error.
    Callback {
        sid: String,
        status: String,
        outcome: String,
    },
    /// The mail server took a message: it lies in the recipient's mailbox.
    MailAccepted(MailAccepted),
    /// The mail server said no, at this stage and with this reply.
    MailRefused {
        stage: String,
        to: Vec<String>,
        reply: String,
    },
    /// Ink on paper: this item was printed and enveloped.
    Printed(Printed),
    /// The print house would not print this item.
    PrintRefused {
        batch: String,
        letter_id: String,
        version: u64,
        reason: String,
    },
    /// The whole batch was answered; the acknowledgement file is in place.
    BatchAcknowledged {
        batch: String,
        manifest_sha256: String,
        accepted: u64,
        rejected: u64,
    },
    /// A batch of a name that was answered before appeared again; nothing was printed.
    BatchDuplicate {
        batch: String,
        manifest_sha256: String,
        same_manifest: bool,
    },
    /// A batch could not be read at all; nothing was printed.
    BatchRefused { batch: String, reason: String },
    /// Royal Mail brought an envelope back.
    Returned {
        batch: String,
        letter_id: String,
        version: u64,
        reason: String,
    },
    /// Everything was forgotten on request, except the batch folders that still lie in the drop.
    Reset { batches: Vec<String> },
}

/// A text that the provider took on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TextAccepted {
    pub sid: String,
    pub account_sid: String,
    pub to: String,
    pub from: Option<String>,
    pub messaging_service_sid: Option<String>,
    pub body: String,
    pub status_callback: Option<String>,
    /// Status in the answer: `queued`, or `accepted` when a messaging service picks the sender.
    pub status: String,
}

/// A mail that the server took on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailAccepted {
    /// Envelope sender, not the header.
    pub envelope_from: String,
    /// Envelope recipients, not the header.
    pub envelope_to: Vec<String>,
    pub message_id: Option<String>,
    pub subject: Option<String>,
    pub size_bytes: u64,
    /// Of the whole message as received, before any shortening.
    pub sha256: String,
    /// The message as received; shortened to its first 64 KiB, so that the journal stays bounded.
    pub raw: String,
}

/// A letter on paper, in its envelope.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Printed {
    pub batch: String,
    pub letter_id: String,
    pub version: u64,
    /// Of the PDF that was printed.
    pub sha256: String,
    pub pages: u64,
    pub postage: String,
    pub format: String,
    /// What stands in the window of the envelope.
    pub address_lines: Vec<String>,
    pub postcode: String,
}
