//! What to do: the command line, and the file of patients' sessions.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Exit codes: 0 the bar was met, 1 it was not, 2 the test could not be run.
#[derive(Debug, clap::Parser)]
#[command(
    version,
    about = "Publishes letters at a fixed rate and checks that every patient's browser sees each once, in order."
)]
pub(crate) struct Plan {
    /// Where Letterbox listens; only a target that declares itself a sandbox is tested.
    #[arg(long, default_value = "http://localhost:8080")]
    pub url: String,
    /// Patients' sessions, as `letterbox seed --patients N --sessions FILE` writes them.
    #[arg(long)]
    pub sessions: PathBuf,
    /// How many of the file's patients take part; all when left out.
    #[arg(long)]
    pub patients: Option<usize>,
    /// Letters per second, arriving whether or not earlier ones were answered.
    #[arg(long, default_value_t = 100.0)]
    pub rate: f64,
    /// Letters in one request; 1 publishes singly.
    #[arg(long, default_value_t = 1)]
    pub batch: usize,
    /// Seconds of publishing.
    #[arg(long, default_value_t = 20.0)]
    pub duration: f64,
    /// Sockets opened per second.
    #[arg(long, default_value_t = 400.0)]
    pub connect_rate: f64,
    /// Requests to the API that may be unanswered at once; more are counted as overload.
    #[arg(long, default_value_t = 512)]
    pub in_flight: usize,
    /// Milliseconds from the moment a letter should have been sent to its frame, 99th percentile, at most.
    #[arg(long, default_value_t = 250.0)]
    pub bar_p99_ms: f64,
    /// Seconds to wait for the last frames.
    #[arg(long, default_value_t = 15.0)]
    pub settle: f64,
    /// Publish nothing: hold the sockets open for so many seconds, then leave.
    #[arg(long)]
    pub hold: Option<f64>,
    /// Let every browser send one frame of the largest size allowed, 1,024 bytes, after its hello.
    #[arg(long)]
    pub largest_frame: bool,
    /// Also write the report as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// No progress bars, for logs.
    #[arg(long)]
    pub quiet: bool,
}

impl Plan {
    /// How long the last frames are waited for.
    pub(crate) fn settle(&self) -> Duration {
        Duration::from_secs_f64(self.settle)
    }

    /// Requests to send in all.
    pub(crate) fn requests(&self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of requests, far below 2^53"
        )]
        let requests = (self.rate * self.duration / self.batch as f64).round() as u64;
        requests
    }
}

/// Who takes part.
#[derive(Debug)]
pub(crate) struct Cast {
    pub api_key: String,
    /// Sent as Origin by the browsers.
    pub origin: String,
    pub patients: Vec<Patient>,
}

/// One patient: what the hospital calls them and how their browser signs in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Patient {
    pub patient: String,
    pub nhs_number: String,
    /// The mailbox's name on the wire.
    #[serde(rename = "box")]
    pub mailbox: String,
    pub cookie: String,
}

#[derive(Deserialize)]
struct Head {
    api_key: String,
    origin: String,
}

impl Cast {
    /// Reads the session file.
    ///
    /// # Errors
    /// When it is missing, cannot be understood, or has fewer patients than asked for.
    pub(crate) fn read(path: &Path, most: Option<usize>) -> anyhow::Result<Self> {
        let file = std::fs::File::open(path).with_context(|| {
            format!(
                "{}: make it with `letterbox seed --patients N --sessions FILE`",
                path.display()
            )
        })?;
        let mut lines = BufReader::new(file).lines();
        let first = lines.next().context("the session file is empty")??;
        let head: Head = serde_json::from_str(&first)
            .context("line 1 of the session file has no api_key and origin")?;
        let mut patients = Vec::new();
        for (number, line) in lines.enumerate().take(most.unwrap_or(usize::MAX)) {
            let read = serde_json::from_str(&line?)
                .with_context(|| format!("line {} of the session file", number + 2))?;
            patients.push(read);
        }
        ensure!(
            most.is_none_or(|most| patients.len() == most),
            "the session file has only {} patients",
            patients.len()
        );
        ensure!(!patients.is_empty(), "the session file has no patients");
        Ok(Self {
            api_key: head.api_key,
            origin: head.origin,
            patients,
        })
    }
}
