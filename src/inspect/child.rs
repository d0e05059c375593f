//! The confined child: gives up its rights, then reads files from standard input, one answer line each.

use super::scan::scan;
use super::verdict::Refusal;
use rustix::process::{Resource, Rlimit, getuid, setrlimit};
use rustix::thread::{Gid, Uid};
use std::io::{self, Read, Write};

/// `nobody` on every Debian; only used when the server itself runs as root.
const NOBODY: u32 = 65_534;

/// Reads `(length: u32 big endian, bytes)` frames until standard input ends.
///
/// # Errors
/// When confinement fails (the child then reads nothing) or the pipe breaks.
pub fn run(memory_bytes: u64, cpu_seconds: u64, most_pages: u32) -> io::Result<()> {
    confine(memory_bytes, cpu_seconds)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    while input.read_exact(&mut length).is_ok() {
        let mut file = vec![0; u32::from_be_bytes(length) as usize];
        input.read_exact(&mut file)?;
        // A panic of the parser ends the child without an answer; the parent reads that as `Overwhelming`.
        let verdict: Result<_, Refusal> = scan(&file, most_pages);
        serde_json::to_writer(&mut output, &verdict)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// No new files, processes, privileges or memory beyond what one letter needs.
fn confine(memory_bytes: u64, cpu_seconds: u64) -> io::Result<()> {
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
