//! A sandbox for tests: the real binary on free ports, with folders that vanish with it.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "a token for tests";
/// Ten times what the slowest machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Sandbox {
    child: Child,
    pub(crate) http: String,
    pub(crate) smtp: SocketAddr,
    pub(crate) folder: PathBuf,
    pub(crate) client: reqwest::Client,
}

impl Sandbox {
    pub(crate) fn start() -> Self {
        let folder =
            std::env::temp_dir().join(format!("letterbox-sandbox-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(folder.join("post")).expect("a folder can be made");
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build();
        let (child, http, smtp) = spawn(&folder);
        Self {
            child,
            http,
            smtp,
            folder,
            client: client.expect("a client can be built"),
        }
    }

    /// Ends the process the hard way and starts another on the same journal.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    pub(crate) fn restart(&mut self) {
        (self.child, self.http, self.smtp) = spawn(&self.folder);
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has ended");
    }

    pub(crate) fn post(&self) -> PathBuf {
        self.folder.join("post")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.http)).send().await;
        answer
            .expect("the sandbox answers")
            .json()
            .await
            .expect("it answers JSON")
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> StatusCode {
        let request = self.client.post(format!("{}{path}", self.http)).json(&body);
        request.send().await.expect("the sandbox answers").status()
    }

    pub(crate) async fn faults(&self, body: Value) {
        assert_eq!(self.put("/faults", body).await, StatusCode::OK);
    }

    pub(crate) async fn journal(&self, kind: &str) -> Vec<Value> {
        let page = self.get("/journal?limit=1000").await;
        let lines = page["lines"].as_array().expect("a list").clone();
        lines
            .into_iter()
            .filter(|line| line["kind"] == kind)
            .collect()
    }

    pub(crate) async fn send_text(
        &self,
        form: &[(&str, &str)],
    ) -> reqwest::Result<(StatusCode, Value)> {
        let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self.http);
        let request = self
            .client
            .post(url)
            .basic_auth(ACCOUNT, Some(TOKEN))
            .form(form);
        let answer = request.send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    pub(crate) async fn twilio(&self, path: &str) -> (StatusCode, Value) {
        let url = format!("{}/2010-04-01/Accounts/{ACCOUNT}/{path}", self.http);
        let request = self.client.get(url).basic_auth(ACCOUNT, Some(TOKEN));
        let answer = request.send().await.expect("the sandbox answers");
        (
            answer.status(),
            answer.json().await.expect("it answers JSON"),
        )
    }

    /// Waits until the journal holds this many lines of a kind.
    pub(crate) async fn until(&self, kind: &str, count: usize) -> Vec<Value> {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let lines = self.journal(kind).await;
                if lines.len() >= count {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("{count} lines of {kind} never came"))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn spawn(folder: &Path) -> (Child, String, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_letterbox-sandbox"))
        .args([
            "--exit-with-stdin",
            "--sent-after-ms",
            "20",
            "--delivered-after-ms",
            "20",
        ])
        .args([
            "--print-every-ms",
            "10",
            "--twilio-account",
            ACCOUNT,
            "--twilio-auth-token",
            TOKEN,
        ])
        .arg("--journal")
        .arg(folder.join("journal.jsonl"))
        .arg("--post-folder")
        .arg(folder.join("post"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the sandbox starts");
    let out = child.stdout.take().expect("its output is a pipe");
    let mut line = String::new();
    BufReader::new(out)
        .read_line(&mut line)
        .expect("it says where it is");
    let ready: Value = serde_json::from_str(&line).expect("in JSON");
    let address = |key: &str| ready[key].as_str().expect("an address").to_owned();
    let smtp = address("smtp").parse().expect("a socket address");
    (child, format!("http://{}", address("http")), smtp)
}

/// A letter for a batch, with the PDF that its hash promises.
pub(crate) fn letter(id: &str) -> (Value, Vec<u8>) {
    let pdf = format!("%PDF-1.7 letter {id}").into_bytes();
    let line = json!({
        "letter_id": id,
        "version": 1,
        "sha256": hex::encode(Sha256::digest(&pdf)),
        "pages": 1,
        "postage": "second",
        "duplex": true,
        "colour": false,
        "format": "std",
        "address_lines": ["Mr Gwyn Test", "1 Sample Street", "Hereford"],
        "postcode": "HR1 2BN",
        "group_key": "one",
    });
    (line, pdf)
}

/// Writes a batch as the contract asks: unfinished under another name, then renamed.
pub(crate) fn drop_batch(post: &Path, name: &str, letters: &[(Value, Vec<u8>)]) {
    let part = post.join(format!("{name}.part"));
    std::fs::create_dir_all(&part).expect("a folder can be made");
    let mut manifest = String::new();
    for (line, pdf) in letters {
        manifest += &format!("{line}\n");
        let id = line["letter_id"].as_str().expect("an id");
        std::fs::write(part.join(format!("{id}.pdf")), pdf).expect("a file can be written");
    }
    let sha256 = hex::encode(Sha256::digest(&manifest));
    let write = |name: &str, text: &str| std::fs::write(part.join(name), text).expect("a file");
    write("manifest.jsonl", &manifest);
    write("manifest.sha256", &format!("{sha256}  manifest.jsonl\n"));
    write("READY", "");
    std::fs::rename(&part, post.join(name)).expect("it can be renamed");
}

pub(crate) fn ack(post: &Path, batch: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(post.join("acks").join(batch).join("ack.jsonl"));
    let text = text.expect("the acknowledgement is there");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
