//! The confined child: gives up its rights, then reads files from standard input, one answer line each.

use super::scan::scan;
use super::verdict::Refusal;
use crate::confine::confine;
use std::io::{self, Read, Write};

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
