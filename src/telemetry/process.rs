//! What the process itself takes: descriptors and memory.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open descriptors to the hard one, and returns it; every socket is one.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )?;
    }
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Takes the process's measure; called when the figures are read.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; counts of this process are far below 2^53"
)]
pub(super) fn record() {
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // The folder itself is open while it is counted.
        metrics::gauge!("letterbox_open_descriptors").set(open.count().saturating_sub(1) as f64);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        metrics::gauge!("letterbox_descriptor_limit").set(limit as f64);
    }
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("letterbox_resident_bytes").set(bytes as f64);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
