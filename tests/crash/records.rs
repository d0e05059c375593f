//! What the database says at the end: needed to tell whose message a message was, and for the invariants in SQL.
//! It is a witness, not the judge.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use tokio_postgres::Client;
use uuid::Uuid;

/// The witness's whole statement.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// By the trust's id of the letter.
    pub(crate) letters: HashMap<String, Letter>,
    pub(crate) opened_at: HashMap<Uuid, DateTime<Utc>>,
    pub(crate) dispatches: HashMap<Uuid, Dispatch>,
    /// The texts about a letter.
    pub(crate) texts_of: HashMap<Uuid, Vec<Uuid>>,
    /// When the batch closed that a letter is in.
    pub(crate) batch_closed: HashMap<Uuid, DateTime<Utc>>,
    /// Dispatches that were sent again after nobody knew what had become of the first try.
    pub(crate) possible_duplicates: HashSet<Uuid>,
    /// Letters whose case is open, and so has a next step.
    pub(crate) in_progress: HashSet<Uuid>,
    /// Letters that a named person has taken on.
    pub(crate) handed_over: HashSet<Uuid>,
    /// Broken invariants, in words.
    pub(crate) broken: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) id: Uuid,
    pub(crate) opened_at: Option<DateTime<Utc>>,
    pub(crate) posted: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    pub(crate) letter: Uuid,
    pub(crate) channel: String,
    pub(crate) reference: Option<String>,
    /// When the last attempt was about to leave, by the database's clock.
    pub(crate) left_at: Option<DateTime<Utc>>,
}

/// Each must be 0 in every committed state; the first word names the invariant of the fault catalogue.
const INVARIANTS: &[(&str, &str)] = &[
    (
        "E1: letters that are neither open, posted nor withdrawn and have no next step",
        "SELECT count(*) FROM letters l WHERE l.state IN ('held', 'published') AND l.posted_at IS NULL
         AND l.route <> 'you_post' AND NOT EXISTS (
             SELECT FROM cases c WHERE c.letter_id = l.id AND (c.ended_at IS NULL OR c.end_kind = 'handed_over'))",
    ),
    (
        "E2: open cases more than a minute late that nobody holds",
        "SELECT count(*) FROM cases WHERE ended_at IS NULL AND due_at < app_now() - interval '1 minute'
         AND (lease_until IS NULL OR lease_until < app_now())",
    ),
    (
        // Instants are those at which transactions began, and one waits for another's lock up to five seconds. Paper
        // is settled when its batch closes: the next question.
        "E5: messages that left after their case had ended",
        "SELECT count(*) FROM attempts a JOIN dispatches d ON d.id = a.dispatch_id JOIN cases c ON c.id = d.case_id
         WHERE d.channel <> 'post' AND a.sent_at > c.ended_at + interval '5 seconds'",
    ),
    (
        "E5: letters printed although they were open when the batch closed",
        "SELECT count(*) FROM print_items i JOIN print_batches b ON b.id = i.batch_id
         JOIN letters l ON l.id = i.subject_id WHERE l.opened_at < b.closed_at",
    ),
    (
        "E7: cases that are open although their letter is opened or withdrawn",
        "SELECT count(*) FROM cases c JOIN letters l ON l.id = c.letter_id
         WHERE c.ended_at IS NULL AND l.state IN ('opened', 'withdrawn', 'superseded')",
    ),
    (
        "E11: letters without exactly one case, one line of history and one event of their publication",
        "SELECT count(*) FROM letters l
         WHERE (SELECT count(*) FROM cases c WHERE c.letter_id = l.id) <> 1
            OR (SELECT count(*) FROM history h WHERE h.subject_id = l.id AND h.kind = 'letter.published') <> 1
            OR (SELECT count(*) FROM events e WHERE e.letter_id = l.id AND e.kind = 'letter.published') <> 1",
    ),
    (
        "E13: letters published by history, less those of the table",
        "SELECT abs((SELECT count(*) FROM history WHERE kind = 'letter.published') - (SELECT count(*) FROM letters))",
    ),
    (
        "E13: letters, less those ended in each way and those in progress",
        "SELECT abs((SELECT count(*) FROM letters) - (SELECT count(*) FROM cases WHERE letter_id IS NOT NULL
         AND (ended_at IS NULL OR end_kind IN ('opened', 'posted', 'withdrawn', 'handed_over'))))",
    ),
    (
        "E13: cases that ended as posted without a posted item in a batch, or the other way round",
        "SELECT count(*) FROM cases c FULL JOIN (
             SELECT d.case_id FROM print_items i JOIN dispatches d ON d.id = i.dispatch_id WHERE i.state = 'posted'
         ) p ON p.case_id = c.id
         WHERE (c.end_kind = 'posted') IS DISTINCT FROM (p.case_id IS NOT NULL) AND c.end_kind IS DISTINCT FROM 'opened'
           AND c.ended_at IS NOT NULL",
    ),
    (
        "M1: mailboxes whose events are not numbered 1 to n",
        "SELECT count(*) FROM patients p WHERE p.head_seq <> (SELECT count(*) FROM events e WHERE e.patient_id = p.id)
            OR p.head_seq <> (SELECT coalesce(max(seq), 0) FROM events e WHERE e.patient_id = p.id)",
    ),
    (
        "history whose hash does not fit its content",
        "SELECT count(*) FROM history h WHERE h.sha256 <> history_sha256(h.trust_id, h.patient_id, h.subject_kind,
         h.subject_id, h.kind, h.at, h.actor, h.policy_version, h.facts)",
    ),
];

impl Records {
    pub(crate) async fn read(db: &Client) -> Self {
        let mut records = Self::default();
        records.read_letters(db).await;
        records.read_messages(db).await;
        for (name, sql) in INVARIANTS {
            let row = db
                .query_one(*sql, &[])
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let count: i64 = row.get(0);
            if count != 0 {
                records.broken.push(format!("{name}: {count}"));
            }
        }
        records
    }

    async fn read_letters(&mut self, db: &Client) {
        let sql =
            "SELECT l.source_id, l.id, l.opened_at, l.posted_at IS NOT NULL, c.ended_at IS NULL,
                          c.end_kind = 'handed_over'
                   FROM letters l JOIN cases c ON c.letter_id = l.id";
        for row in db.query(sql, &[]).await.expect("letters can be read") {
            let id: Uuid = row.get(1);
            if row.get(4) {
                self.in_progress.insert(id);
            }
            if row.get::<_, Option<bool>>(5) == Some(true) {
                self.handed_over.insert(id);
            }
            let letter = Letter {
                id,
                opened_at: row.get(2),
                posted: row.get(3),
            };
            self.opened_at.extend(letter.opened_at.map(|at| (id, at)));
            self.letters.insert(row.get(0), letter);
        }
        let sql = "SELECT i.subject_id, b.closed_at FROM print_items i JOIN print_batches b ON b.id = i.batch_id";
        let closed = db.query(sql, &[]).await.expect("batches can be read");
        self.batch_closed = closed.iter().map(|row| (row.get(0), row.get(1))).collect();
    }

    async fn read_messages(&mut self, db: &Client) {
        let sql = "SELECT d.id, c.letter_id, d.channel, d.provider_reference,
                          (SELECT max(a.sent_at) FROM attempts a WHERE a.dispatch_id = d.id)
                   FROM dispatches d JOIN cases c ON c.id = d.case_id WHERE c.letter_id IS NOT NULL";
        for row in db.query(sql, &[]).await.expect("messages can be read") {
            let dispatch = Dispatch {
                letter: row.get(1),
                channel: row.get(2),
                reference: row.get(3),
                left_at: row.get(4),
            };
            if dispatch.channel == "text" {
                self.texts_of
                    .entry(dispatch.letter)
                    .or_default()
                    .push(row.get(0));
            }
            self.dispatches.insert(row.get(0), dispatch);
        }
        let sql = "SELECT subject_id FROM history WHERE kind = 'dispatch.possible_duplicate'";
        let noted = db.query(sql, &[]).await.expect("history can be read");
        self.possible_duplicates = noted.iter().map(|row| row.get(0)).collect();
    }
}
