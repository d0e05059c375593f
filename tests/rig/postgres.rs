//! A real PostgreSQL of a test's own, with fsync on, that may be killed and started again.
//!
//! As root it runs as user nobody. Its data are made once per test process and copied for each use.

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use super::process::{Process, Signal, mortal};
use super::until;

/// Recovery after a kill takes 2 to 5 s on a small machine; others share it.
const START: Duration = Duration::from_secs(90);

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'UTC'
log_timezone = 'UTC'
autovacuum_naptime = '10s'
# Never off here: what is being tested is what survives.
fsync = on
synchronous_commit = on
full_page_writes = on
# Small, so that a start after a kill is quick.
shared_buffers = '32MB'
max_wal_size = '256MB'
";

/// The user as whom PostgreSQL runs when we are root.
const NOBODY: &str = "nobody";

/// `LETTERBOX_PG_BIN`, Debian's folders, `pg_config`, or what `make tools` fetched: the script knows.
static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres-bin");
    let answer = Command::new(script).output().expect("the script runs");
    assert!(answer.status.success(), "no PostgreSQL: run make tools");
    PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim())
});

pub(crate) struct Postgres {
    data: PathBuf,
    port: u16,
    process: Mutex<Option<Process>>,
}

impl Postgres {
    /// A new, empty cluster in `folder`, running. `settings` are lines of `postgresql.conf`.
    pub(crate) async fn start_in(folder: &Path, settings: &str) -> Self {
        let data = folder.join("pg");
        fs::create_dir(&data).expect("a folder for the data");
        hand_over(&data);
        let initdb = as_owner("initdb", &data)
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
            ])
            // What must last is what is written later, not an empty cluster.
            .args(["--no-sync", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(
            initdb.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&initdb.stderr)
        );
        let port = free_port();
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .expect("initdb wrote it");
        write!(file, "{SETTINGS}\nport = {port}\n{settings}\n").expect("the settings are written");
        drop(file);
        let postgres = Self {
            data,
            port,
            process: Mutex::default(),
        };
        postgres.start().await;
        postgres
    }

    /// Starts the postmaster and waits until it lets people in; tries again while the dead one's backends linger.
    pub(crate) async fn start(&self) {
        until("PostgreSQL takes connections", START, async || {
            if self.running().is_none() {
                self.launch();
            }
            self.try_connect("postgres", "postgres").await.is_some()
        })
        .await;
    }

    fn launch(&self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("its log");
        let mut command = mortal(PROGRAMS.join("postgres"));
        become_owner(&mut command, &self.data);
        command
            .arg("-D")
            .arg(&self.data)
            .process_group(0)
            .stdin(Stdio::null());
        command
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log);
        *self.lock() = Some(Process::start(command));
    }

    /// `kill -9` of the postmaster; its backends notice by themselves.
    pub(crate) async fn kill(&self) {
        self.end_by(Signal::KILL).await;
    }

    /// `pg_ctl stop -m immediate`: no checkpoint, every connection is dropped.
    pub(crate) async fn stop_immediately(&self) {
        self.end_by(Signal::QUIT).await;
    }

    /// The postmaster's process id.
    pub(crate) fn running(&self) -> Option<u32> {
        let process = self.lock();
        process
            .as_ref()
            .filter(|process| process.ended().is_none())
            .map(Process::id)
    }

    async fn end_by(&self, signal: Signal) {
        let process = self.lock().take().expect("it runs");
        process.signal(signal);
        assert!(
            process.end(START).await.is_some(),
            "PostgreSQL does not end"
        );
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// URL for a role; the cluster trusts its own machine.
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        url_at(self.port, role, database)
    }

    /// A superuser's connection to a database.
    pub(crate) async fn connect(&self, database: &str) -> Client {
        self.try_connect("postgres", database)
            .await
            .expect("PostgreSQL answers")
    }

    async fn try_connect(&self, role: &str, database: &str) -> Option<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(role, database), NoTls)
            .await
            .ok()?;
        // Ends with the client or with PostgreSQL.
        tokio::spawn(async move { drop(connection.await) });
        Some(client)
    }

    fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn url_at(port: u16, role: &str, database: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/{database}")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

fn as_owner(program: &str, data: &Path) -> Command {
    let mut command = Command::new(PROGRAMS.join(program));
    become_owner(&mut command, data);
    command
}

/// Only PostgreSQL changes user, and only where it must.
fn become_owner(command: &mut Command, data: &Path) {
    if let Some((uid, gid)) = owner() {
        command.uid(uid).gid(gid);
    }
    command
        .current_dir(data.parent().unwrap_or(data))
        .env_clear();
    command
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8");
}

fn hand_over(folder: &Path) {
    if let Some((uid, gid)) = owner() {
        chown(folder, Some(uid), Some(gid)).expect("root may give a folder away");
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("it is ours");
}

/// User and group of nobody, when we are root: PostgreSQL refuses to run as root.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("it is readable");
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(NOBODY))
        .expect("there is a user nobody");
    let mut numbers = line
        .split(':')
        .skip(2)
        .map_while(|number| number.parse().ok());
    numbers.next().zip(numbers.next())
}
