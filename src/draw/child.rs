//! The confined child: gives up its rights, reads one file from standard input, writes its pages, and ends.

use std::io::{self, Read as _, Write as _};

use super::page::draw;
use super::pool::{PageHead, Reply};
use crate::confine::confine;

/// Reads one file until standard input ends; answers a line of JSON, then the pictures one after another.
///
/// # Errors
/// When confinement fails (nothing is read then) or the pipe breaks.
pub fn run(memory_bytes: u64, cpu_seconds: u64, most_pages: usize) -> io::Result<()> {
    confine(memory_bytes, cpu_seconds)?;
    let mut file = Vec::new();
    io::stdin().lock().read_to_end(&mut file)?;
    // A panic of the renderer ends the child without an answer; the parent takes that for "cannot be drawn".
    let pages = draw(&file, most_pages);
    let head: Reply = pages.as_ref().map(|pages| {
        let head = |page: &super::Drawn| PageHead {
            width: page.width,
            height: page.height,
            bytes: page.png.len(),
            text: page.text.clone(),
        };
        pages.iter().map(head).collect()
    });
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, &head)?;
    output.write_all(b"\n")?;
    for page in pages.iter().flatten() {
        output.write_all(&page.png)?;
    }
    output.flush()
}
