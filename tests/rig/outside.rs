//! The world outside: the sandbox as a process of its own, and its fsynced journal, which judges.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::process::{Process, mortal};

/// The sandbox's text account, as its command line's defaults say.
pub(crate) const TEXT_ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TEXT_TOKEN: &str = "sandbox-auth-token";

pub(crate) struct Outside {
    pub(crate) http: String,
    pub(crate) smtp_port: u16,
    /// Shared by the servers and the print house.
    pub(crate) post_folder: PathBuf,
    journal: PathBuf,
    _process: Process,
}

/// One line of the journal.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: DateTime<Utc>,
    pub(crate) kind: String,
    pub(crate) facts: Value,
}

impl Line {
    pub(crate) fn text(&self, field: &str) -> &str {
        self.facts[field].as_str().unwrap_or_default()
    }
}

impl Outside {
    pub(crate) fn start_in(folder: &Path) -> Self {
        let (post_folder, journal) = (folder.join("post"), folder.join("outside.jsonl"));
        let mut command = mortal(program());
        command.arg("--journal").arg(&journal);
        command
            .arg("--post-folder")
            .arg(post_folder.join("outgoing"));
        command
            .arg("--acks-folder")
            .arg(post_folder.join("incoming"));
        let process = Process::start({
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            command
        });
        let mut greeting = String::new();
        let stdout = process.take_stdout().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut greeting)
            .expect("the sandbox says where it listens");
        let addresses: Value =
            serde_json::from_str(&greeting).expect("the sandbox started and speaks JSON");
        let address = |name: &str| addresses[name].as_str().expect("an address").to_owned();
        let smtp = address("smtp");
        let (_, smtp_port) = smtp.rsplit_once(':').expect("host:port");
        Self {
            http: format!("http://{}", address("http")),
            smtp_port: smtp_port.parse().expect("a port"),
            post_folder,
            journal,
            _process: process,
        }
    }

    /// Everything that has happened outside, oldest first; a line being written just now is left out.
    pub(crate) fn journal(&self) -> Vec<Line> {
        let text = fs::read_to_string(&self.journal).expect("the journal is there");
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(line).collect()
    }

    /// Lines of one kind: `mail_accepted`, `text_accepted`, `printed` …
    pub(crate) fn happened(&self, kind: &str) -> Vec<Line> {
        self.journal()
            .into_iter()
            .filter(|line| line.kind == kind)
            .collect()
    }

    /// Turns the sandbox's knobs.
    pub(crate) async fn misbehave(&self, faults: &Value) {
        let client = super::hospital::client();
        let answer = client
            .post(format!("{}/faults", self.http))
            .json(faults)
            .send()
            .await;
        assert!(
            answer.expect("the sandbox answers").status().is_success(),
            "it knows these knobs"
        );
    }
}

fn line(text: &str) -> Line {
    let facts: Value = serde_json::from_str(text).expect("the journal is whole");
    let at = facts["at"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("every line has its instant");
    Line {
        at,
        kind: facts["kind"].as_str().unwrap_or_default().to_owned(),
        facts,
    }
}

/// Built by `make test` beside the server.
fn program() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_letterbox")).with_file_name("letterbox-sandbox");
    assert!(
        beside.exists(),
        "build it first: cargo build -p letterbox-sandbox"
    );
    beside
}
