//! The judge's notebook: one JSON line per effect, on disk before the effect is acknowledged.
//!
//! One thread owns the file. It takes whatever has queued up, writes it, calls fsync once, and only
//! then answers everybody (group commit). It never rewrites a line; `reset` is the only way to forget.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, oneshot};

use crate::clock::now;
use crate::entry::{Entry, Line};

/// Lines the journal holds before it refuses more: what is remembered in memory grows with it, and
/// half a million effects are more than any test of ours makes between two resets.
const LINES_MAX: usize = 500_000;
/// Appends waiting for the disk; a caller beyond it waits, as it would for the disk itself.
const QUEUE_MAX: usize = 1_024;
/// Lines given out at once, so that one answer stays small.
pub(crate) const PAGE_MAX: usize = 1_000;

/// Handle to the journal; clones write to the same file.
#[derive(Clone)]
pub(crate) struct Journal {
    queue: mpsc::Sender<Append>,
    index: Arc<Mutex<Index>>,
    path: Arc<PathBuf>,
}

struct Append {
    entries: Vec<Entry>,
    forget: bool,
    done: oneshot::Sender<Result<Vec<Line>, String>>,
}

/// Where each line starts. Line numbers go on rising over a reset, so `first` is the number of `starts[0]`.
#[derive(Default)]
struct Index {
    first: u64,
    starts: Vec<u64>,
    end: u64,
}

impl Journal {
    /// Opens or creates the journal and returns every line it holds, oldest first.
    ///
    /// A last line without its line feed was never acknowledged and is cut off.
    ///
    /// # Errors
    /// When the file cannot be opened or a whole line cannot be read: a damaged judge must not judge.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Line>)> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .with_context(|| format!("opening the journal {}", path.display()))?;
        let (index, lines) = read_whole(&mut file)?;
        file.set_len(index.end)?;
        file.sync_all()?;
        let index = Arc::new(Mutex::new(index));
        let (queue, inbox) = mpsc::channel(QUEUE_MAX);
        let writer = Writer {
            file,
            index: Arc::clone(&index),
        };
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(inbox))?;
        let journal = Self {
            queue,
            index,
            path: Arc::new(path.to_owned()),
        };
        Ok((journal, lines))
    }

    /// Writes the entries and returns once they are on disk.
    ///
    /// # Errors
    /// When the disk refuses or the journal is full; then nothing happened and nothing may be acknowledged.
    pub(crate) async fn append(&self, entries: Vec<Entry>) -> Result<Vec<Line>> {
        self.send(entries, false).await
    }

    /// Forgets every line and starts again with this one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) async fn restart_with(&self, entry: Entry) -> Result<Vec<Line>> {
        self.send(vec![entry], true).await
    }

    async fn send(&self, entries: Vec<Entry>, forget: bool) -> Result<Vec<Line>> {
        let (done, answer) = oneshot::channel();
        let append = Append {
            entries,
            forget,
            done,
        };
        let sent = self.queue.send(append).await;
        sent.map_err(|_| anyhow!("the journal thread has ended"))?;
        answer
            .await
            .context("the journal thread has ended")?
            .map_err(|reason| anyhow!(reason))
    }

    /// Lines with a number above `after`, oldest first, at most `limit`; as they stand in the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn page(&self, after: u64, limit: usize) -> Result<Vec<serde_json::Value>> {
        let (from, to) = self.span(after, limit.min(PAGE_MAX));
        if from == to {
            return Ok(Vec::new());
        }
        let mut file = File::open(self.path.as_path())?;
        file.seek(SeekFrom::Start(from))?;
        BufReader::new(file.take(to - from))
            .lines()
            .map(|line| Ok(serde_json::from_str(&line?)?))
            .collect()
    }

    fn span(&self, after: u64, limit: usize) -> (u64, u64) {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = usize::try_from((after + 1).saturating_sub(index.first)).unwrap_or(usize::MAX);
        let at = |i: usize| index.starts.get(i).copied().unwrap_or(index.end);
        (at(skip), at(skip.saturating_add(limit)))
    }

    /// Lines held now, and the number of the newest.
    pub(crate) fn size(&self) -> (u64, u64) {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let held = index.starts.len() as u64;
        (held, (index.first + held).saturating_sub(1))
    }
}

fn read_whole(file: &mut File) -> Result<(Index, Vec<Line>)> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(&*file);
    let (mut index, mut lines) = (Index::default(), Vec::new());
    index.first = 1;
    let mut text = String::new();
    while reader.read_line(&mut text)? > 0 && text.ends_with('\n') {
        let line: Line = serde_json::from_str(&text)
            .with_context(|| format!("journal line {} cannot be read", lines.len() + 1))?;
        if lines.is_empty() {
            index.first = line.n;
        }
        index.starts.push(index.end);
        index.end += text.len() as u64;
        lines.push(line);
        text.clear();
    }
    Ok((index, lines))
}

struct Writer {
    file: File,
    index: Arc<Mutex<Index>>,
}

impl Writer {
    fn run(mut self, mut inbox: mpsc::Receiver<Append>) {
        while let Some(first) = inbox.blocking_recv() {
            let mut group = vec![first];
            // A reset goes alone: it must not swallow a neighbour that was written before it.
            while !group.iter().any(|append| append.forget) && group.len() < QUEUE_MAX {
                match inbox.try_recv() {
                    Ok(next) => group.push(next),
                    Err(_) => break,
                }
            }
            self.commit(group);
        }
    }

    fn commit(&mut self, mut group: Vec<Append>) {
        let reset = group.pop_if(|append| append.forget);
        self.commit_together(group);
        if let Some(reset) = reset {
            self.forget();
            self.commit_together(vec![reset]);
        }
    }

    fn commit_together(&mut self, group: Vec<Append>) {
        let (answers, entries): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|append| ((append.done, append.entries.len()), append.entries))
            .unzip();
        let mut result = self.write(entries.into_iter().flatten());
        for (done, count) in answers {
            let lines = match &mut result {
                Ok(lines) => Ok(lines.by_ref().take(count).collect()),
                Err(reason) => Err(reason.clone()),
            };
            // A caller that has gone away learns the same from the journal later.
            drop(done.send(lines));
        }
    }

    fn position(&self) -> (u64, u64, usize) {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let held = index.starts.len();
        (index.first + held as u64, index.end, held)
    }

    fn write(
        &mut self,
        entries: impl Iterator<Item = Entry>,
    ) -> Result<std::vec::IntoIter<Line>, String> {
        let (first, base, held) = self.position();
        let (mut text, mut starts, mut lines) = (String::new(), Vec::new(), Vec::new());
        for (n, entry) in (first..).zip(entries) {
            let line = Line {
                n,
                at: now(),
                entry,
            };
            starts.push(base + text.len() as u64);
            text += &serde_json::to_string(&line).map_err(|error| error.to_string())?;
            text.push('\n');
            lines.push(line);
        }
        if held + lines.len() > LINES_MAX {
            return Err(format!(
                "the journal is full at {LINES_MAX} lines; POST /reset"
            ));
        }
        self.write_through(&text, base)?;
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.starts.extend(starts);
        index.end = base + text.len() as u64;
        Ok(lines.into_iter())
    }

    fn write_through(&mut self, text: &str, base: u64) -> Result<(), String> {
        let written = self.file.write_all(text.as_bytes());
        written
            .and_then(|()| self.file.sync_data())
            .map_err(|error| {
                // Half a line must not stand before the next one.
                drop(self.file.set_len(base));
                format!("the journal cannot be written: {error}")
            })
    }

    fn forget(&mut self) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.file.set_len(0).and_then(|()| self.file.sync_all()) {
            eprintln!("letterbox-sandbox: the journal cannot be emptied: {error}");
            return;
        }
        index.first += index.starts.len() as u64;
        index.starts.clear();
        index.end = 0;
    }
}
