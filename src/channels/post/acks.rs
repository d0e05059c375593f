//! The print house's answers: read whole or not at all, set aside when the store has them.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use letterbox_actors::ports::{Ack, PortError, PortResult, Verdict};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{checked, manifest, unavailable};

pub(super) const ACK: &str = "ack.jsonl";
pub(super) const STATUS: &str = "status.jsonl";
/// What the store has taken in is kept under this suffix, as evidence.
const SEEN: &str = "seen";
/// Batches answered in one look; the rest comes with the next.
const BATCHES_MAX: usize = 100;
/// A line is below 300 bytes, a batch below 10,000 letters.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The code of items whose batch the print house could not read.
const UNREADABLE: &str = "batch_refused";

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Item {
        letter_id: Uuid,
        result: Answer,
        reason: Option<String>,
    },
    Total {
        batch: String,
        count: usize,
        manifest_sha256: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Accepted,
    Rejected,
}

/// An envelope that Royal Mail brought back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Returned {
    #[serde(skip)]
    pub batch_name: String,
    /// The letter, or the case of an appointment's notice.
    #[serde(rename = "letter_id")]
    pub item: Uuid,
    pub version: i32,
    /// `R01` gone away … `R09` deceased, `R10` other.
    #[serde(rename = "reason_code")]
    pub code: String,
}

/// Every answer that has not been set aside. A file that makes no sense is logged and waits for a person;
/// the others are not held up.
pub(super) fn read(outgoing: &Path, incoming: &Path) -> PortResult<Vec<Ack>> {
    let mut acks = Vec::new();
    for name in waiting(incoming, ACK)? {
        match of_batch(outgoing, incoming, &name) {
            Ok(answers) => acks.extend(answers),
            Err(error) => {
                tracing::error!(batch = %name, %error, "an acknowledgement cannot be used")
            }
        }
    }
    Ok(acks)
}

fn of_batch(outgoing: &Path, incoming: &Path, name: &str) -> PortResult<Vec<Ack>> {
    let wrong = |what: &str| PortError::Corrupt(format!("ack.jsonl of {name}: {what}"));
    let mut lines: Vec<Line> = lines(&incoming.join(name).join(ACK))?;
    let Some(Line::Total {
        batch,
        count,
        manifest_sha256,
    }) = lines.pop()
    else {
        return Err(wrong("the last line, with the counts, is missing"));
    };
    if batch != name || count != lines.len() {
        return Err(wrong("the counts do not match"));
    }
    let Some(answered) = manifest_sha256 else {
        return refused_whole(outgoing, name);
    };
    // The folder may be gone already; the store knows which items it waits for.
    let sent = stated(&outgoing.join(name))?;
    if sent.is_some_and(|sent| sent != answered) {
        return Err(wrong("it answers another manifest"));
    }
    lines.into_iter().map(|line| ack(name, line)).collect()
}

fn ack(name: &str, line: Line) -> PortResult<Ack> {
    let Line::Item {
        letter_id,
        result,
        reason,
    } = line
    else {
        return Err(PortError::Corrupt(format!(
            "ack.jsonl of {name}: two totals"
        )));
    };
    let verdict = match result {
        Answer::Accepted => Verdict::Posted,
        Answer::Rejected => Verdict::Rejected {
            code: reason
                .unwrap_or_else(|| "rejected".to_owned())
                .chars()
                .take(100)
                .collect(),
        },
    };
    Ok(Ack {
        batch_name: name.to_owned(),
        item: letter_id,
        verdict,
    })
}

/// The print house could not read the batch: none of its items is on paper.
fn refused_whole(outgoing: &Path, name: &str) -> PortResult<Vec<Ack>> {
    let listed: Vec<manifest::Listed> = lines(&outgoing.join(name).join("manifest.jsonl"))?;
    let refused = listed.into_iter().map(|listed| Ack {
        batch_name: name.to_owned(),
        item: listed.letter_id,
        verdict: Verdict::Rejected {
            code: UNREADABLE.to_owned(),
        },
    });
    Ok(refused.collect())
}

/// Envelopes that came back, and have not been set aside.
pub(super) fn returned(incoming: &Path) -> PortResult<Vec<Returned>> {
    let mut all = Vec::new();
    for name in waiting(incoming, STATUS)? {
        match lines::<Returned>(&incoming.join(&name).join(STATUS)) {
            Ok(returned) => all.extend(returned.into_iter().map(|mut one| {
                one.batch_name.clone_from(&name);
                one
            })),
            Err(error) => tracing::error!(batch = %name, %error, "a status file cannot be used"),
        }
    }
    Ok(all)
}

/// Sets the acknowledgement aside, and takes the letters out of the shared folder once each is answered.
pub(super) fn forget(outgoing: &Path, incoming: &Path, name: &str) -> PortResult<()> {
    set_aside(&incoming.join(name), ACK)?;
    let batch = outgoing.join(name);
    let listed = count::<manifest::Listed>(&batch.join("manifest.jsonl"))?;
    let answered = count::<serde_json::Value>(&incoming.join(name).join(format!("{ACK}.{SEEN}")))?;
    if listed == 0 || answered <= listed {
        return Ok(()); // already gone, or some items are still unanswered
    }
    match fs::remove_dir_all(&batch) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable(&batch, error)),
        _ => Ok(()),
    }
}

/// Renames a file of the print house's so that it is not read again.
pub(super) fn set_aside(folder: &Path, file: &str) -> PortResult<()> {
    rename(folder, file, &format!("{file}.{SEEN}"))
}

/// Makes an acknowledgement be read again.
pub(super) fn bring_back(incoming: &Path, name: &str) -> PortResult<()> {
    rename(&incoming.join(name), &format!("{ACK}.{SEEN}"), ACK)
}

fn rename(folder: &Path, from: &str, to: &str) -> PortResult<()> {
    match fs::rename(folder.join(from), folder.join(to)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unavailable(folder, error)),
        _ => Ok(()),
    }
}

/// The manifest that the print house answered under this name, if it did.
pub(super) fn answered(incoming: &Path, name: &str) -> PortResult<Option<String>> {
    for file in [ACK.to_owned(), format!("{ACK}.{SEEN}")] {
        let path = incoming.join(name).join(file);
        let last = lines::<Line>(&path)?.pop();
        if let Some(Line::Total {
            manifest_sha256, ..
        }) = last
        {
            return Ok(manifest_sha256);
        }
    }
    Ok(None)
}

/// Batches in which this file waits to be read.
fn waiting(incoming: &Path, file: &str) -> PortResult<Vec<String>> {
    let entries = fs::read_dir(incoming).map_err(|error| unavailable(incoming, error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .map_err(|error| unavailable(incoming, error))?
            .file_name();
        let Some(name) = name.to_str().filter(|name| checked(name).is_ok()) else {
            continue;
        };
        if incoming.join(name).join(file).is_file() {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.truncate(BATCHES_MAX);
    Ok(names)
}

fn stated(batch: &Path) -> PortResult<Option<String>> {
    match fs::read_to_string(batch.join("manifest.sha256")) {
        Ok(text) => Ok(text.split_ascii_whitespace().next().map(str::to_owned)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unavailable(batch, error)),
    }
}

fn count<T: DeserializeOwned>(path: &Path) -> PortResult<usize> {
    lines::<T>(path).map(|lines| lines.len())
}

/// The lines of a file; none when there is no file.
fn lines<T: DeserializeOwned>(path: &Path) -> PortResult<Vec<T>> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.map_err(|error| unavailable(path, error))?,
    };
    let mut text = String::new();
    file.take(FILE_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| unavailable(path, error))?;
    let parsed = text.lines().enumerate().map(|(at, line)| {
        serde_json::from_str(line).map_err(|error| {
            let place = path.display();
            PortError::Corrupt(format!("{place}, line {}: {error}", at + 1))
        })
    });
    parsed.collect()
}
