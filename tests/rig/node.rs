//! One server node: a `letterbox serve` process with its own port, started as often as it dies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::outside::{Outside, TEXT_ACCOUNT, TEXT_TOKEN};
use super::process::{Process, Signal, mortal};
use super::{hospital, postgres, until};

/// A debug build on a busy machine; alone it takes about a second.
const READY: Duration = Duration::from_secs(60);

pub(crate) struct Node {
    pub(crate) name: &'static str,
    port: u16,
    settings: Vec<(String, String)>,
    log: PathBuf,
    client: reqwest::Client,
    process: Mutex<Option<Process>>,
}

/// Extra environment of one start, such as `("LETTERBOX_CRASH_POINT", "publish.before_commit:3")`.
pub(crate) type Extra<'a> = &'a [(&'a str, &'a str)];

impl Node {
    /// A node of the installation in `folder`; not started yet. `settings` are keys such as `dispatch.lease`.
    pub(crate) fn new(
        name: &'static str,
        folder: &Path,
        database: &str,
        outside: &Outside,
        settings: Extra<'_>,
    ) -> Self {
        let port = postgres::free_port();
        let mut all = usual(port, folder, database, outside);
        all.extend(
            settings
                .iter()
                .map(|(key, value)| (variable(key), (*value).to_owned())),
        );
        Self {
            name,
            port,
            settings: all,
            log: folder.join(format!("{name}.log")),
            client: hospital::client(),
            process: Mutex::default(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// What this node's process is started by.
    pub(crate) fn command(&self, extra: Extra<'_>) -> Command {
        self.finish(mortal(env!("CARGO_BIN_EXE_letterbox")), extra)
    }

    /// The same with at most so many open files.
    pub(crate) fn command_with_files(&self, most: u32) -> Command {
        let mut command = mortal("prlimit");
        command
            .arg(format!("--nofile={most}:{most}"))
            .arg(env!("CARGO_BIN_EXE_letterbox"));
        self.finish(command, &[])
    }

    fn finish(&self, mut command: Command, extra: Extra<'_>) -> Command {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("its log");
        command
            .arg("serve")
            .envs(self.settings.iter().map(|(key, value)| (key, value)));
        command.envs(extra.iter().copied()).env_remove("RUST_LOG");
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log);
        command
    }

    /// Starts it and returns at once.
    pub(crate) fn launch(&self, command: Command) {
        *self.lock() = Some(Process::start(command));
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// With the end of its log, when it is not ready in time.
    pub(crate) async fn start(&self, extra: Extra<'_>) {
        self.launch(self.command(extra));
        self.until_ready().await;
    }

    pub(crate) async fn until_ready(&self) {
        let ready = super::comes(READY, async || {
            self.is_ready().await || self.ended().is_some()
        })
        .await;
        assert!(
            ready && self.ended().is_none(),
            "{} is not ready; the end of its log:\n{}",
            self.name,
            self.log_end()
        );
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.answers("/health/ready").await == Some(200)
    }

    /// The status of a GET, if there is an answer.
    pub(crate) async fn answers(&self, path: &str) -> Option<u16> {
        let sent = self
            .client
            .get(format!("{}{path}", self.url()))
            .send()
            .await;
        sent.ok().map(|answer| answer.status().as_u16())
    }

    /// The sum of a counter's lines in `/metrics` that carry `label`.
    pub(crate) async fn figure(&self, name: &str, label: &str) -> u64 {
        let sent = self
            .client
            .get(format!("{}/metrics", self.url()))
            .send()
            .await;
        let Ok(answer) = sent else { return 0 };
        let text = answer.text().await.unwrap_or_default();
        let ours = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        let value = |line: &str| {
            line.rsplit(' ')
                .next()
                .and_then(|value| value.parse::<u64>().ok())
        };
        ours.filter_map(value).sum()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(process) = self.lock().as_ref() {
            process.signal(signal);
        }
    }

    /// `kill -9`, and gone.
    pub(crate) async fn kill(&self) {
        self.signal(Signal::KILL);
        until("a killed process is gone", READY, async || {
            self.ended().is_some()
        })
        .await;
    }

    /// `kill -9` where there is something to kill.
    pub(crate) async fn kill_if_running(&self) {
        if self
            .lock()
            .as_ref()
            .is_some_and(|process| process.ended().is_none())
        {
            self.kill().await;
        }
    }

    /// How it ended, if it has; `None` too before its first start.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.lock().as_ref().and_then(Process::ended)
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.lock().as_ref().is_some_and(Process::was_killed)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().as_ref().is_some_and(Process::is_stopped)
    }

    /// Waits for its end; `None` when it still runs after `limit`.
    pub(crate) async fn end(&self, limit: Duration) -> Option<ExitStatus> {
        super::comes(limit, async || self.ended().is_some()).await;
        self.ended()
    }

    pub(crate) fn log_end(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let tail = &text[text.len().saturating_sub(6_000)..];
        String::from_utf8_lossy(tail).into_owned()
    }

    /// Everything it has logged since it was made.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `dispatch.lease` → `LETTERBOX__DISPATCH__LEASE`.
fn variable(key: &str) -> String {
    format!("LETTERBOX__{}", key.to_uppercase().replace('.', "__"))
}

fn usual(port: u16, folder: &Path, database: &str, outside: &Outside) -> Vec<(String, String)> {
    let set = [
        ("mode", "test".to_owned()),
        ("server.listen", format!("127.0.0.1:{port}")),
        ("server.public_url", format!("http://127.0.0.1:{port}")),
        ("server.workers", "1".to_owned()),
        ("database.url", database.to_owned()),
        ("database.web_connections", "8".to_owned()),
        ("database.page_connections", "8".to_owned()),
        ("database.scheduler_connections", "4".to_owned()),
        ("secrets.key_file", folder.join("key").display().to_string()),
        ("inspector.children", "1".to_owned()),
        ("intake.requests_per_second", "10000".to_owned()),
        ("intake.burst", "10000".to_owned()),
        ("live.tickets_per_second", "5000".to_owned()),
        ("channels.email.host", "127.0.0.1".to_owned()),
        ("channels.email.port", outside.smtp_port.to_string()),
        ("channels.email.tls", "none".to_owned()),
        ("channels.text.base_url", outside.http.clone()),
        ("channels.text.account_sid", TEXT_ACCOUNT.to_owned()),
        ("channels.text.api_key_sid", TEXT_ACCOUNT.to_owned()),
        ("channels.text.api_key_secret", TEXT_TOKEN.to_owned()),
        ("channels.text.auth_token", TEXT_TOKEN.to_owned()),
        ("channels.text.from", "MyHealth".to_owned()),
        (
            "channels.post.folder",
            outside.post_folder.display().to_string(),
        ),
        ("channels.post.poll", "300ms".to_owned()),
        ("telemetry.format", "text".to_owned()),
        ("telemetry.filter", "warn".to_owned()),
    ];
    set.into_iter()
        .map(|(key, value)| (variable(key), value))
        .collect()
}
