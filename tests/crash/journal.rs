//! The clients' journal: what they were told, on disk before they go on. One JSON line per fact.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::rig::clock;

/// What a client can swear to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// The API answered 201 or 200 to this letter, so often as there were answers.
    Acknowledged {
        source_id: String,
        letter: Uuid,
        status: u16,
        patient: usize,
    },
    /// The API refused this letter for good.
    Refused {
        source_id: String,
        status: u16,
        code: String,
    },
    /// The patient held the whole PDF, and afterwards the API called the letter opened.
    Opened { source_id: String, letter: Uuid },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) at: DateTime<Utc>,
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

type Entry = (Line, oneshot::Sender<()>);

/// Writes facts; clones of the sender share one file and its fsync.
pub(crate) struct Journal {
    queue: SyncSender<Entry>,
    path: PathBuf,
    writer: JoinHandle<()>,
}

/// A place to write facts.
#[derive(Clone)]
pub(crate) struct Pen(SyncSender<Entry>);

impl Journal {
    pub(crate) fn create(folder: &Path) -> Self {
        let path = folder.join("clients.jsonl");
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .expect("a new file");
        // More than can be in flight; a full queue makes clients wait, as a slow disk would.
        let (queue, inbox) = sync_channel(8_192);
        let writer = std::thread::spawn(move || write(file, &inbox));
        Self {
            queue,
            path,
            writer,
        }
    }

    pub(crate) fn pen(&self) -> Pen {
        Pen(self.queue.clone())
    }

    /// All lines, once every pen is gone.
    pub(crate) fn close(self) -> Vec<Line> {
        drop(self.queue);
        self.writer
            .join()
            .expect("the journal's thread wrote everything");
        let text = std::fs::read_to_string(&self.path).expect("the journal is there");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("our own line"))
            .collect()
    }
}

impl Pen {
    /// On disk when this returns.
    pub(crate) async fn write(&self, fact: Fact) {
        let (done, written) = oneshot::channel();
        let line = Line {
            at: clock::now(),
            fact,
        };
        self.0
            .try_send((line, done))
            .expect("the queue holds more than can be in flight");
        written.await.expect("the journal's thread answers");
    }
}

/// Takes whatever has queued up, writes it, and calls fsync once.
fn write(mut file: File, inbox: &Receiver<Entry>) {
    while let Ok(first) = inbox.recv() {
        let entries: Vec<Entry> = std::iter::once(first).chain(inbox.try_iter()).collect();
        let mut text = String::new();
        for (line, _) in &entries {
            text += &serde_json::to_string(line).expect("plain data");
            text.push('\n');
        }
        file.write_all(text.as_bytes()).expect("the disk takes it");
        file.sync_data().expect("the disk keeps it");
        for (_, done) in entries {
            // A client that has been dropped does not want to know.
            done.send(()).ok();
        }
    }
}
