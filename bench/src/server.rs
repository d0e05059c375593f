//! A real server process on a database of its own, with seeded patients.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use reqwest::Client;
use serde::Deserialize;
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::Arguments;

/// One line a patient, as the seed writes it.
#[derive(Clone, Deserialize)]
pub(crate) struct Patient {
    pub(crate) patient: String,
    pub(crate) nhs_number: String,
    #[serde(rename = "box")]
    pub(crate) mailbox: Uuid,
    pub(crate) cookie: String,
}

#[derive(Deserialize)]
struct Head {
    api_key: String,
}

/// A database, migrated and seeded.
pub(crate) struct Ground {
    /// As the owner, for baselines.
    pub(crate) owner_url: String,
    pub(crate) app_url: String,
    pub(crate) sessions: PathBuf,
    pub(crate) api_key: String,
    pub(crate) patients: Vec<Patient>,
    key_file: PathBuf,
    bin: PathBuf,
}

/// A running server. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    pub(crate) client: Client,
}

impl Ground {
    /// Makes it.
    pub(crate) async fn prepare(arguments: &Arguments, patients: usize) -> anyhow::Result<Self> {
        ensure!(
            !arguments.database.is_empty(),
            "no database: run `make bench`, or give --database"
        );
        let name = format!("bench_{}", Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir(&folder)?;
        let (admin, connection) = tokio_postgres::connect(&arguments.database, NoTls).await?;
        let driver = tokio::spawn(connection);
        for role in ["letterbox_migrate", "letterbox_app"] {
            let make = format!(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                CREATE ROLE {role}; END IF; ALTER ROLE {role} LOGIN; END $$"
            );
            admin.batch_execute(&make).await?;
        }
        admin
            .batch_execute(&format!("CREATE DATABASE {name} OWNER letterbox_migrate"))
            .await?;
        drop(admin);
        driver.await??;
        let at = arguments
            .database
            .rsplit_once('@')
            .context("--database names no host")?
            .1;
        let host = at
            .split_once('/')
            .context("--database names no database")?
            .0;
        let url = |role: &str| format!("postgres://{role}@{host}/{name}");
        let mut ground = Self {
            owner_url: url("letterbox_migrate"),
            app_url: url("letterbox_app"),
            sessions: folder.join("sessions.jsonl"),
            api_key: String::new(),
            patients: Vec::new(),
            key_file: folder.join("key"),
            bin: arguments.bin_dir.join("letterbox"),
        };
        std::fs::write(&ground.key_file, [7; 32])?;
        ground.letterbox(&["migrate"], &[])?;
        let count = patients.to_string();
        let sessions = ground.sessions.display().to_string();
        ground.letterbox(
            &["seed", "--patients", &count, "--sessions", &sessions],
            &[],
        )?;
        ground.read_sessions()?;
        Ok(ground)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.bin);
        command.args(arguments).envs([
            ("LETTERBOX__MODE", "bench"),
            ("LETTERBOX__DATABASE__URL", &self.app_url),
            ("LETTERBOX__DATABASE__MIGRATE_URL", &self.owner_url),
            ("LETTERBOX__TELEMETRY__FILTER", "warn"),
            ("LETTERBOX__SERVER__METRICS_FROM", "127.0.0.0/8"),
            ("LETTERBOX__INTAKE__REQUESTS_PER_SECOND", "1000000"),
            ("LETTERBOX__INTAKE__BURST", "1000000"),
            ("LETTERBOX__LIVE__TICKETS_PER_SECOND", "100000"),
        ]);
        command.env("LETTERBOX__SECRETS__KEY_FILE", &self.key_file);
        command
    }

    fn letterbox(&self, arguments: &[&str], envs: &[(&str, &str)]) -> anyhow::Result<()> {
        let status = self
            .command(arguments)
            .envs(envs.iter().copied())
            .stdout(Stdio::null())
            .status();
        let status = status.with_context(|| self.bin.display().to_string())?;
        ensure!(
            status.success(),
            "letterbox {} ended with {status}",
            arguments.join(" ")
        );
        Ok(())
    }

    fn read_sessions(&mut self) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(&self.sessions)?;
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().context("the session file is empty")?)?;
        self.api_key = head.api_key;
        self.patients = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Starts a server on it and waits until it is ready.
    pub(crate) async fn serve(&self) -> anyhow::Result<Server> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let mut command = self.command(&["serve"]);
        command.env("LETTERBOX__SERVER__LISTEN", format!("127.0.0.1:{port}"));
        // The seed's sessions name this origin.
        command.env("LETTERBOX__SERVER__PUBLIC_URL", "http://localhost:8080");
        let child = command.stdout(Stdio::null()).spawn()?;
        let client = Client::builder()
            .timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(256)
            .build()?;
        let server = Server {
            child,
            base: format!("http://127.0.0.1:{port}"),
            client,
        };
        let until = Instant::now() + Duration::from_secs(60);
        let url = format!("{}/health/ready", server.base);
        while !server
            .client
            .get(&url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            ensure!(Instant::now() < until, "the server did not become ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(server)
    }

    /// The load tester, beside the server.
    pub(crate) fn loadtest(&self, server: &Server, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(self.bin.with_file_name("letterbox-loadtest"));
        command
            .args(["--url", &server.base, "--quiet", "--sessions"])
            .arg(&self.sessions)
            .args(arguments);
        Ok(command)
    }
}

impl Server {
    /// Resident memory of the server's process.
    pub(crate) fn rss_bytes(&self) -> anyhow::Result<u64> {
        rss_bytes(self.child.id())
    }

    /// One figure of `/metrics`; with several series of that name, their sum.
    pub(crate) async fn figure(&self, name: &str) -> anyhow::Result<f64> {
        let text = self
            .client
            .get(format!("{}/metrics", self.base))
            .send()
            .await?
            .text()
            .await?;
        let lines = text.lines().filter(|line| line.starts_with(name));
        Ok(lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum())
    }

    /// All of `/metrics`.
    pub(crate) async fn figures(&self) -> anyhow::Result<String> {
        Ok(self
            .client
            .get(format!("{}/metrics", self.base))
            .send()
            .await?
            .text()
            .await?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Some(folder) = self
            .sessions
            .parent()
            .filter(|folder| folder.starts_with(std::env::temp_dir()))
        {
            std::fs::remove_dir_all(Path::new(folder)).ok();
        }
    }
}

/// Resident memory of a process, from the kernel.
pub(crate) fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
}
