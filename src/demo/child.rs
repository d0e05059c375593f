//! One program that is started again whenever it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Between an end and the next start: long enough not to spin, short against the promised five seconds.
const PAUSE: Duration = Duration::from_millis(300);
/// How long a program may take to end by itself when asked to.
const GRACE: Duration = Duration::from_secs(12);

/// Makes the command afresh for each start.
pub(super) type MakeCommand = Arc<dyn Fn() -> Command + Send + Sync>;

/// A kept program. Dropping it stops the keeping, not the program: call [`Kept::stop`].
pub(super) struct Kept {
    name: &'static str,
    pid: Arc<AtomicU32>,
    wanted: watch::Sender<bool>,
    loop_: tokio::task::JoinHandle<()>,
}

impl Kept {
    /// Starts the program and keeps it running.
    ///
    /// # Errors
    /// When the first start fails.
    pub(super) fn start(name: &'static str, make: MakeCommand) -> io::Result<Self> {
        let first = make().kill_on_drop(true).spawn()?;
        let pid = Arc::new(AtomicU32::new(first.id().unwrap_or(0)));
        let (wanted, watching) = watch::channel(true);
        let loop_ = tokio::spawn(keep(name, make, first, Arc::clone(&pid), watching));
        Ok(Self {
            name,
            pid,
            wanted,
            loop_,
        })
    }

    /// Ends the process at once, as a power cut would; it is started again.
    ///
    /// # Errors
    /// When there is no such process now.
    pub(super) fn kill_dash_nine(&self) -> io::Result<u32> {
        let pid = self.pid.load(Ordering::Acquire);
        self.signal(pid, Signal::KILL)?;
        Ok(pid)
    }

    /// Asks the program to end, and waits; kills it when it does not.
    pub(super) async fn stop(self) {
        self.wanted.send_replace(false);
        if let Err(error) = self.signal(self.pid.load(Ordering::Acquire), Signal::TERM) {
            tracing::debug!(program = self.name, %error, "nothing to stop");
        }
        if tokio::time::timeout(GRACE, self.loop_).await.is_err() {
            tracing::warn!(program = self.name, "did not end in time");
        }
    }

    fn signal(&self, pid: u32, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or_else(|| io::Error::other("not running"))?, signal)
            .map_err(io::Error::from)
    }
}

async fn keep(
    name: &'static str,
    make: MakeCommand,
    mut child: Child,
    pid: Arc<AtomicU32>,
    mut wanted: watch::Receiver<bool>,
) {
    loop {
        let ended = child.wait().await;
        pid.store(0, Ordering::Release);
        if !*wanted.borrow() {
            return;
        }
        tracing::warn!(program = name, status = ?ended.ok().map(|status| status.to_string()), "ended, starting again");
        child = loop {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = wanted.changed() => return,
            }
            match make().kill_on_drop(true).spawn() {
                Ok(child) => break child,
                Err(error) => tracing::error!(program = name, %error, "cannot be started"),
            }
        };
        pid.store(child.id().unwrap_or(0), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until(what: &str, mut done: impl FnMut() -> bool) {
        let waited = tokio::time::timeout(Duration::from_secs(10), async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited
            .await
            .unwrap_or_else(|_| panic!("{what} never happened"));
    }

    #[tokio::test]
    async fn a_killed_program_is_started_again_and_a_stopped_one_is_not() {
        let make: MakeCommand = Arc::new(|| {
            let mut command = Command::new("sleep");
            command.arg("60");
            command
        });
        let kept = Kept::start("sleeper", make).expect("sleep exists");
        let killed = kept.kill_dash_nine().expect("it runs");
        let pid = Arc::clone(&kept.pid);
        until("the restart", || {
            ![0, killed].contains(&pid.load(Ordering::Acquire))
        })
        .await;
        kept.stop().await;
        assert_eq!(pid.load(Ordering::Acquire), 0);
    }
}
