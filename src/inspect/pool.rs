//! The pool of children: one file at a time each, replaced after so many files or any missed bound.

use super::verdict::{Inspected, Refusal};
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, Semaphore};

/// Bounds of the pool and of each file.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The program to start with `inspect-pdf`; the server's own executable.
    pub program: PathBuf,
    /// Children at most, so files being read at once.
    pub children: usize,
    /// Files a child reads before it is replaced, so that nothing a file left behind lives on.
    pub files_per_child: u32,
    /// Wall clock for one file; the child is killed then.
    pub wall: Duration,
    /// Memory a child may take beyond its own program.
    pub memory_bytes: u64,
    pub most_pages: u32,
    pub most_bytes: usize,
    /// Requests that may wait for a child; more are told to come back.
    pub waiting: usize,
}

/// No verdict: the sender did nothing wrong.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("too many files are waiting to be inspected")]
    Busy,
    #[error("the inspection process could not be started")]
    Start(#[source] io::Error),
}

/// Hands files to confined children.
pub struct Inspector {
    limits: Limits,
    turns: Semaphore,
    waiting: AtomicUsize,
    idle: Mutex<Vec<Worker>>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    files: u32,
}

impl Inspector {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            turns: Semaphore::new(limits.children),
            waiting: AtomicUsize::new(0),
            idle: Mutex::default(),
            limits,
        }
    }

    /// Judges one file.
    ///
    /// # Errors
    /// The outer error is ours (busy, cannot start a child); the inner one is the file's.
    pub async fn inspect(&self, file: &Bytes) -> Result<Result<Inspected, Refusal>, InspectError> {
        if file.len() > self.limits.most_bytes {
            return Ok(Err(Refusal::TooLarge));
        }
        let _turn = self.turn().await?;
        let mut worker = match self.idle.lock().await.pop() {
            Some(worker) => worker,
            None => self.start().map_err(InspectError::Start)?,
        };
        match tokio::time::timeout(self.limits.wall, worker.read(file)).await {
            Ok(Ok(verdict)) => {
                self.keep(worker).await;
                Ok(verdict)
            }
            // Out of time, or the child died: dropping the worker kills it.
            Ok(Err(_)) | Err(_) => {
                metrics::counter!("letterbox_inspect_children_lost_total").increment(1);
                Ok(Err(Refusal::Overwhelming))
            }
        }
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, InspectError> {
        let _waiting = Waiting::enter(&self.waiting, self.limits.waiting + self.limits.children)?;
        self.turns.acquire().await.map_err(|_| InspectError::Busy)
    }

    fn start(&self) -> io::Result<Worker> {
        let cpu = self.limits.wall.as_secs().max(1) * u64::from(self.limits.files_per_child);
        let mut child = Command::new(&self.limits.program)
            .arg("inspect-pdf")
            .args(["--memory-bytes", &self.limits.memory_bytes.to_string()])
            .args(["--cpu-seconds", &cpu.to_string()])
            .args(["--most-pages", &self.limits.most_pages.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
        Ok(Worker {
            child,
            input,
            output: BufReader::new(output),
            files: 0,
        })
    }

    async fn keep(&self, worker: Worker) {
        if worker.files < self.limits.files_per_child {
            self.idle.lock().await.push(worker);
        }
    }

    /// Process ids of the idle children, for tests that kill one.
    #[cfg(test)]
    async fn idle_pids(&self) -> Vec<u32> {
        self.idle
            .lock()
            .await
            .iter()
            .filter_map(|worker| worker.child.id())
            .collect()
    }
}

impl Worker {
    async fn read(&mut self, file: &Bytes) -> io::Result<Result<Inspected, Refusal>> {
        self.files += 1;
        let length = u32::try_from(file.len()).map_err(io::Error::other)?;
        self.input.write_all(&length.to_be_bytes()).await?;
        self.input.write_all(file).await?;
        self.input.flush().await?;
        let mut line = String::new();
        if self.output.read_line(&mut line).await? == 0 {
            let status = self.child.wait().await?;
            return Err(io::Error::other(format!("the child ended with {status}")));
        }
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}

/// Counts one request that waits; leaves the count when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, most: usize) -> Result<Self, InspectError> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= most {
            Err(InspectError::Busy)
        } else {
            Ok(waiting)
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspector(script: &str) -> Inspector {
        Inspector::new(Limits {
            program: crate::testing::program(script),
            children: 1,
            files_per_child: 2,
            wall: Duration::from_millis(500),
            memory_bytes: 64 << 20,
            most_pages: 10,
            most_bytes: 1024,
            waiting: 1,
        })
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_killed_and_only_that_file_is_refused() {
        let inspector = inspector("exec sleep 60");
        let verdict = inspector
            .inspect(&Bytes::from_static(b"%PDF-"))
            .await
            .expect("the pool works");
        assert_eq!(verdict, Err(Refusal::Overwhelming));
        assert!(
            inspector.idle_pids().await.is_empty(),
            "a child that missed its bound is not used again"
        );
    }

    #[tokio::test]
    async fn a_child_is_replaced_after_its_files() {
        let answer = r#"while head -c 9 >/dev/null; do echo '{"Ok":{"pages":1}}'; done"#;
        let inspector = inspector(answer);
        let mut pids = Vec::new();
        for _ in 0..2 {
            let verdict = inspector
                .inspect(&Bytes::from_static(b"%PDF-"))
                .await
                .expect("the pool works");
            assert_eq!(verdict, Ok(Inspected { pages: 1 }));
            pids.push(inspector.idle_pids().await);
        }
        assert_eq!(pids[0].len(), 1);
        assert!(pids[1].is_empty(), "after two files the child has gone");
    }

    #[tokio::test]
    async fn a_file_over_the_bound_never_reaches_a_child() {
        let inspector = inspector("exit 1");
        let verdict = inspector
            .inspect(&Bytes::from(vec![0; 1025]))
            .await
            .expect("the pool works");
        assert_eq!(verdict, Err(Refusal::TooLarge));
    }
}
