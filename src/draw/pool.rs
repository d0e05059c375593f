//! The parent's side: a few children at a time, each for one letter, each killed when its time is up.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::page::Drawn;

/// Everything that a child may answer, pictures and all: thirty pages of print take 10 MB, a dozen photographs 24. The
/// page that holds them is a third larger, and stays in memory until it has been read.
const MOST_BYTES: u64 = 24 << 20;

/// Readers who wait for a turn; more would not get one in time.
const MOST_WAITING: usize = 8;

/// Bounds of the pool and of each letter.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The program to start with `draw-pdf`; the server's own executable.
    pub program: PathBuf,
    /// Letters drawn at once.
    pub children: usize,
    /// How long a reader waits for a turn.
    pub patience: Duration,
    /// Wall clock for one letter; the child is killed then.
    pub wall: Duration,
    /// Memory a child may take beyond its own program.
    pub memory_bytes: u64,
    /// Pages of one letter; a longer one is read on a device of one's own.
    pub most_pages: usize,
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// Others are being drawn; it can be tried again.
    #[error("too many letters are being drawn")]
    Busy,
    /// The file took too much time or memory, has too many pages, or cannot be read.
    #[error("the letter cannot be drawn")]
    Beyond,
    /// Our own fault.
    #[error("the drawing process could not be started")]
    Start(#[source] io::Error),
}

/// What a child says about a page before its picture.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PageHead {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: usize,
    pub(super) text: String,
}

/// `null` where the file cannot be drawn.
pub(super) type Reply = Option<Vec<PageHead>>;

/// Has letters drawn by confined children.
#[derive(Debug)]
pub struct Drawer {
    limits: Limits,
    turns: Semaphore,
    /// Those being drawn, and those who wait: each holds its letter in memory.
    waiting: Semaphore,
}

impl Drawer {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            turns: Semaphore::new(limits.children),
            waiting: Semaphore::new(limits.children + MOST_WAITING),
            limits,
        }
    }

    /// The pages of a letter, in order, all of them.
    ///
    /// # Errors
    /// [`DrawError`]; there is never a part of a letter.
    pub async fn draw(&self, file: &Bytes) -> Result<Vec<Drawn>, DrawError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| DrawError::Busy)?;
        let turn = tokio::time::timeout(self.limits.patience, self.turns.acquire()).await;
        let _turn = turn
            .map_err(|_| DrawError::Busy)?
            .map_err(|_| DrawError::Busy)?;
        let child = self.start().map_err(DrawError::Start)?;
        // Out of time, or broken off: dropping the child kills it.
        let answer = match tokio::time::timeout(self.limits.wall, talk(child, file)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::warn!(%error, "letter.not_drawn");
                None
            }
            Err(_) => {
                tracing::warn!(wall = ?self.limits.wall, "letter.not_drawn_in_time");
                None
            }
        };
        answer.as_deref().and_then(parted).ok_or_else(|| {
            metrics::counter!("letterbox_letters_not_drawn_total").increment(1);
            DrawError::Beyond
        })
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.limits.program)
            .arg("draw-pdf")
            .args(["--memory-bytes", &self.limits.memory_bytes.to_string()])
            .args([
                "--cpu-seconds",
                &self.limits.wall.as_secs().max(1).to_string(),
            ])
            .args(["--most-pages", &self.limits.most_pages.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }
}

/// Gives the child its file and takes everything that it answers.
async fn talk(mut child: Child, file: &Bytes) -> io::Result<Vec<u8>> {
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (mut input, output) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
    input.write_all(file).await?;
    // Its end is the end of the file.
    drop(input);
    let mut answer = Vec::new();
    output.take(MOST_BYTES).read_to_end(&mut answer).await?;
    let status = child.wait().await?;
    if !status.success() {
        return Err(io::Error::other(format!("the child ended with {status}")));
    }
    Ok(answer)
}

/// `None` unless the answer is whole: a child that was killed half way has drawn nothing.
fn parted(answer: &[u8]) -> Option<Vec<Drawn>> {
    let end = answer.iter().position(|byte| *byte == b'\n')?;
    let heads: Vec<PageHead> = serde_json::from_slice::<Reply>(&answer[..end]).ok()??;
    let mut rest = &answer[end + 1..];
    let mut pages = Vec::with_capacity(heads.len());
    for head in heads {
        let (png, others) = rest.split_at_checked(head.bytes)?;
        rest = others;
        pages.push(Drawn {
            width: head.width,
            height: head.height,
            png: png.to_vec(),
            text: head.text,
        });
    }
    (rest.is_empty() && !pages.is_empty()).then_some(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawer(script: &str) -> Drawer {
        Drawer::new(Limits {
            program: crate::testing::program(script),
            children: 1,
            patience: Duration::from_millis(200),
            wall: Duration::from_millis(500),
            memory_bytes: 64 << 20,
            most_pages: 10,
        })
    }

    const HEAD: &str = r#"[{"width":1,"height":1,"bytes":3,"text":"Dear"}]"#;

    #[tokio::test]
    async fn a_whole_answer_is_a_letter() {
        let drawer = drawer(&format!("cat >/dev/null; echo '{HEAD}'; printf PNG"));
        let pages = drawer.draw(&Bytes::from_static(b"%PDF-")).await;
        let pages = pages.expect("it is drawn");
        assert_eq!((pages.len(), pages[0].text.as_str()), (1, "Dear"));
        assert_eq!(pages[0].png, b"PNG");
    }

    #[tokio::test]
    async fn half_an_answer_silence_and_death_are_no_letter() {
        for script in [
            format!("cat >/dev/null; echo '{HEAD}'; printf PN"),
            format!("cat >/dev/null; echo '{HEAD}'; printf PNGG"),
            "cat >/dev/null; echo null".to_owned(),
            "cat >/dev/null; echo '[]'".to_owned(),
            "exit 1".to_owned(),
            "exec sleep 60".to_owned(),
        ] {
            let answer = drawer(&script).draw(&Bytes::from_static(b"%PDF-")).await;
            assert!(
                matches!(answer, Err(DrawError::Beyond)),
                "{script}: {answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn whoever_finds_no_turn_is_told_so_and_nothing_piles_up() {
        let drawer = drawer("exec sleep 60");
        let file = Bytes::from_static(b"%PDF-");
        let (first, second) = tokio::join!(drawer.draw(&file), drawer.draw(&file));
        let answers = [first, second];
        assert!(
            answers
                .iter()
                .any(|one| matches!(one, Err(DrawError::Busy)))
        );
    }
}
