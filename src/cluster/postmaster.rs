//! The postmaster's life: adopted or started, restarted when it dies, stopped on request.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    net::TcpListener,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Signal, WaitOptions, kill_process, waitpid};

use super::{ClusterError, Home, Programs, home::at, running::Running, setup};

/// Crash recovery of a busy cluster takes seconds; a minute means something is wrong.
const START: Duration = Duration::from_secs(60);
/// How long a start is tried again.
const PATIENCE: Duration = Duration::from_secs(5);
/// A fast stop rolls back and writes one checkpoint.
const STOP: Duration = Duration::from_secs(60);
/// A dead postmaster costs at most this before it is started again.
const WATCH: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The log is started afresh beyond this; the one before is kept.
const LOG_BYTES: u64 = 10 * 1024 * 1024;
/// Names the socket. Nothing listens on a TCP port of this number.
const SOCKET_PORT: u16 = 5432;

/// Keeps one postmaster running.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    watcher: Option<JoinHandle<()>>,
    adopted: bool,
}

struct Shared {
    home: Home,
    programs: Programs,
    port: u16,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// The postmaster, when it is our child: it has to be reaped.
    child: Option<Child>,
    stopping: bool,
}

impl Keeper {
    pub(super) fn start(home: Home, programs: Programs) -> Result<Self, ClusterError> {
        let running = Running::find(&home);
        let adopted = running
            .as_ref()
            .is_some_and(|running| running.answers(&home));
        if let (Some(running), false) = (&running, adopted) {
            // It hangs, or listens elsewhere than we do now: recovery after an immediate stop loses nothing committed.
            end(running, Signal::QUIT, &home.data())?;
        }
        let port = match (&running, home.socket_folder()) {
            (Some(running), _) if adopted => running.port,
            (_, Some(_)) => SOCKET_PORT,
            (_, None) => free_port().map_err(at(&home.folder))?,
        };
        let shared = Shared {
            home,
            programs,
            port,
            state: Mutex::default(),
            wake: Condvar::new(),
        };
        if !adopted {
            let child = shared.launch_patiently()?;
            shared.lock().child = Some(child);
        }
        let shared = Arc::new(shared);
        let watched = Arc::clone(&shared);
        let watcher = std::thread::Builder::new()
            .name("postgres-watch".into())
            .spawn(move || watched.watch());
        let watcher = watcher.map_err(at(&shared.home.folder))?;
        Ok(Self {
            shared,
            watcher: Some(watcher),
            adopted,
        })
    }

    pub(super) fn adopted(&self) -> bool {
        self.adopted
    }

    pub(super) fn postmaster(&self) -> Option<u32> {
        Running::find(&self.shared.home)
            .map(|running| running.pid.as_raw_nonzero().get().unsigned_abs())
    }

    pub(super) fn announce(&self, url: &str) -> io::Result<()> {
        self.shared.home.announce(url)
    }

    /// The host part of a URL: a socket folder with its slashes escaped, or loopback and a port.
    pub(super) fn host(&self) -> String {
        match self.shared.home.socket_folder() {
            Some(folder) => format!("{}:{}", escaped(&folder), self.shared.port),
            None => format!("127.0.0.1:{}", self.shared.port),
        }
    }

    pub(super) fn stop(mut self) -> Result<(), ClusterError> {
        self.end_watch();
        let home = &self.shared.home;
        if let Err(error) = home.announce("") {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the announced address could not be withdrawn"
            );
        }
        match Running::find(home) {
            Some(running) => {
                let ended = end(&running, Signal::INT, &home.data());
                self.shared.reap();
                ended
            }
            None => Ok(()),
        }
    }

    fn end_watch(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.wake.notify_all();
        if let Some(watcher) = self.watcher.take()
            && watcher.join().is_err()
        {
            tracing::error!("the thread that watches PostgreSQL had panicked");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end_watch();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !state.stopping {
            let alive = match &mut state.child {
                Some(child) => matches!(child.try_wait(), Ok(None)),
                None => self.adopted_lives(),
            };
            if !alive {
                tracing::error!("PostgreSQL has died; starting it again");
                drop(state);
                let started = self.launch();
                state = self.lock();
                match started {
                    Ok(child) => state.child = Some(child),
                    Err(error) => {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "PostgreSQL could not be started again"
                        );
                    }
                }
            }
            let waited = self.wake.wait_timeout(state, WATCH);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// True while the adopted postmaster runs. It may be our child after all (we are the first process of a
    /// container, or the test that started it): then it has to be reaped before another can open the data.
    fn adopted_lives(&self) -> bool {
        if let Some(pid) = Running::recorded(&self.home)
            && let Ok(Some(_ended)) = waitpid(Some(pid), WaitOptions::NOHANG)
        {
            return false;
        }
        Running::find(&self.home).is_some()
    }

    fn reap(&self) {
        if let Some(mut child) = self.lock().child.take()
            && let Err(error) = child.wait()
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "PostgreSQL could not be waited for"
            );
        }
    }

    /// The backends of a killed postmaster take a moment to notice; until then the data cannot be opened again.
    fn launch_patiently(&self) -> Result<Child, ClusterError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.launch() {
                Err(ClusterError::NotStarted { .. }) if Instant::now() < until => pause(),
                result => return result,
            }
        }
    }

    /// Starts a postmaster and waits until it accepts connections.
    fn launch(&self) -> Result<Child, ClusterError> {
        let (home, data) = (&self.home, self.home.data());
        setup::write_settings(home, self.port)?;
        let log = open_log(&home.folder)?;
        let errors = log.try_clone().map_err(at(&home.folder))?;
        let mut command = setup::as_owner(home, self.programs.command("postgres"));
        // Its own process group: Ctrl-C at a terminal must reach the server first, which then stops PostgreSQL.
        command
            .arg("-D")
            .arg(&data)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let mut child = command.spawn().map_err(at(&data))?;
        let until = Instant::now() + START;
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            if Running::find(home).is_some_and(|running| running.ready) {
                return Ok(child);
            }
            pause();
        }
        // Either it ended by itself, or it hangs and must not stay behind half started.
        let _gone: io::Result<()> = child.kill();
        let _reaped = child.wait();
        let log = home.folder.join("postgres.log");
        let tail = tail(&log).unwrap_or_default();
        Err(ClusterError::NotStarted { log, tail })
    }
}

/// Signals a postmaster and waits until it is gone. The whole group is not signalled: backends end with it.
fn end(running: &Running, signal: Signal, data: &Path) -> Result<(), ClusterError> {
    kill_process(running.pid, signal).map_err(|error| at(data)(error.into()))?;
    let until = Instant::now() + STOP;
    while running.lives_in(data) {
        if Instant::now() > until {
            return Err(at(data)(io::Error::new(
                io::ErrorKind::TimedOut,
                "PostgreSQL does not stop",
            )));
        }
        pause();
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process gives no event to wait for; this thread is ours, and blocking is said on the module"
)]
fn pause() {
    std::thread::sleep(LOOK_AGAIN);
}

fn free_port() -> io::Result<u16> {
    TcpListener::bind("127.0.0.1:0")?
        .local_addr()
        .map(|address| address.port())
}

fn open_log(folder: &Path) -> Result<File, ClusterError> {
    let path = folder.join("postgres.log");
    if fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_BYTES) {
        fs::rename(&path, folder.join("postgres.log.1")).map_err(at(&path))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))
}

fn tail(log: &PathBuf) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(1_000)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// A path as the host of a URL.
fn escaped(path: &Path) -> String {
    use std::{fmt::Write as _, os::unix::ffi::OsStrExt};
    path.as_os_str()
        .as_bytes()
        .iter()
        .fold(String::new(), |mut out, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    out.push(char::from(*byte))
                }
                // Writing to a String cannot fail.
                _ => write!(out, "%{byte:02X}").unwrap_or_default(),
            }
            out
        })
}
