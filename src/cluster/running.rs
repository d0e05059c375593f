//! What `postmaster.pid` says, checked against the process it names.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use rustix::process::Pid;

use super::Home;

/// A postmaster that does not answer a greeting within this hangs.
const GREETING: Duration = Duration::from_secs(10);

/// What `postmaster.pid` says of a postmaster that is alive.
pub(super) struct Running {
    pub(super) pid: Pid,
    pub(super) port: u16,
    pub(super) ready: bool,
    socket_folder: String,
}

impl Running {
    /// The living postmaster of these data; a file left behind by a dead one, or a reused process id, is none.
    pub(super) fn find(home: &Home) -> Option<Self> {
        let data = home.data();
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().collect();
        let pid = lines.first()?.trim().parse().ok().and_then(Pid::from_raw)?;
        let line = |index: usize| lines.get(index).copied().unwrap_or_default().trim();
        let running = Self {
            pid,
            port: line(3).parse().unwrap_or(0),
            socket_folder: line(4).to_owned(),
            ready: line(7) == "ready",
        };
        running.lives_in(&data).then_some(running)
    }

    /// The process id in the file, alive or not.
    pub(super) fn recorded(home: &Home) -> Option<Pid> {
        let text = fs::read_to_string(home.data().join("postmaster.pid")).ok()?;
        text.lines()
            .next()?
            .trim()
            .parse()
            .ok()
            .and_then(Pid::from_raw)
    }

    /// True if the process exists and works in this data folder, as a postmaster does from start to end.
    pub(super) fn lives_in(&self, data: &Path) -> bool {
        let works_in = fs::read_link(format!("/proc/{}/cwd", self.pid.as_raw_nonzero()));
        matches!((works_in, data.canonicalize()), (Ok(a), Ok(b)) if a == b)
    }

    /// True if it serves where we would let it serve, and forks a backend that answers.
    pub(super) fn answers(&self, home: &Home) -> bool {
        if !self.ready {
            return false;
        }
        match home.socket_folder() {
            Some(folder) if Path::new(&self.socket_folder) == folder => {
                let socket = folder.join(format!(".s.PGSQL.{}", self.port));
                UnixStream::connect(socket).is_ok_and(|stream| {
                    stream.set_read_timeout(Some(GREETING)).is_ok() && greets(stream)
                })
            }
            None if self.port != 0 => {
                TcpStream::connect(("127.0.0.1", self.port)).is_ok_and(|stream| {
                    stream.set_read_timeout(Some(GREETING)).is_ok() && greets(stream)
                })
            }
            _ => false,
        }
    }
}

/// Asks for TLS and takes any one-byte answer: only a forked backend gives it.
fn greets(mut stream: impl Read + Write) -> bool {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    stream.write_all(&SSL_REQUEST).is_ok() && stream.read_exact(&mut [0]).is_ok()
}
