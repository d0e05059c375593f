//! Child processes that die with the test, whatever becomes of the test.
//!
//! All are started from one thread that lives as long as the test process: the kernel sends a child its death
//! signal when the *thread* that started it ends.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, kill_process};

pub(crate) use rustix::process::Signal;

type Start = (Command, SyncSender<io::Result<Child>>);

static STARTER: LazyLock<SyncSender<Start>> = LazyLock::new(|| {
    // Starts are rare and answered one by one.
    let (sender, asked) = sync_channel::<Start>(16);
    std::thread::spawn(move || {
        for (mut command, answer) in asked {
            // Whoever asked waits for this answer.
            drop(answer.send(command.spawn()));
        }
    });
    sender
});

/// A running child. Dropping it kills it.
pub(crate) struct Process {
    pid: Pid,
    child: Mutex<Child>,
}

/// A command whose process is killed when this test ends in any way.
pub(crate) fn mortal(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

impl Process {
    /// Starts a command made by [`mortal`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub(crate) fn start(command: Command) -> Self {
        let (answer, started) = sync_channel(1);
        STARTER
            .send((command, answer))
            .expect("the starting thread lives as long as we do");
        let child = started
            .recv()
            .expect("the starting thread answers")
            .expect("the program can be started");
        let pid = Pid::from_child(&child);
        Self {
            pid,
            child: Mutex::new(child),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal; one to a process that has ended just now is no mistake.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.ended().is_none()
            && let Err(error) = kill_process(self.pid, signal)
        {
            assert_eq!(
                error,
                rustix::io::Errno::SRCH,
                "the signal reaches our own child"
            );
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("our own child can be asked")
    }

    /// Whether kill -9, by whomever, ended it.
    pub(crate) fn was_killed(&self) -> bool {
        self.ended()
            .is_some_and(|status| status.signal() == Some(Signal::KILL.as_raw()))
    }

    /// Whether it is stopped by a signal just now.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // pid (name) state …; the name may hold anything but ends at the last parenthesis.
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    }

    /// Waits until it has ended; `None` when it still runs after `limit`.
    pub(crate) async fn end(&self, limit: Duration) -> Option<ExitStatus> {
        super::comes(limit, async || self.ended().is_some()).await;
        self.ended()
    }

    pub(crate) fn take_stdout(&self) -> Option<std::process::ChildStdout> {
        self.child().stdout.take()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child();
        // It may have ended by itself; either way it must be reaped.
        drop(child.kill());
        drop(child.wait());
    }
}
