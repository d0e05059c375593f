//! How a child process gives up its rights before it reads a file that came from outside. Safe calls only; there is no
//! way back.

use std::io;

use rustix::process::{Resource, Rlimit, getuid, setrlimit};
use rustix::thread::{Gid, Uid};

/// `nobody` on every Debian; only used when the server itself runs as root.
const NOBODY: u32 = 65_534;

/// No new files, processes, privileges or memory beyond what one letter needs.
///
/// # Errors
/// When the kernel refuses one of them; the child must not go on then.
pub(crate) fn confine(memory_bytes: u64, cpu_seconds: u64) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let limit = |resource, value| {
        setrlimit(
            resource,
            Rlimit {
                current: Some(value),
                maximum: Some(value),
            },
        )
        .map_err(io::Error::from)
    };
    limit(Resource::As, address_space()? + memory_bytes)?;
    limit(Resource::Cpu, cpu_seconds)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, 3)?;
    if getuid().is_root() {
        let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    limit(Resource::Nproc, 0)
}

/// Bytes of address space in use now: the program itself must not count against the file.
fn address_space() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm
        .split(' ')
        .next()
        .and_then(|text| text.parse::<u64>().ok());
    pages
        .map(|count| count * rustix::param::page_size() as u64)
        .ok_or_else(|| io::Error::other("/proc/self/statm does not begin with a number"))
}
