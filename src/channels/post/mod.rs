//! Paper: the folder shared with the print house.
//!
//! A batch is written under another name, made durable, and renamed into `outgoing/` once; what stands there
//! is never touched again. Its name and manifest are the same on every try, so a second try finds the first.
//! The print house leaves `ack.jsonl` in `incoming/<batch>/`.

mod acks;
mod manifest;
mod write;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use letterbox_actors::ports::{Ack, Batch, PortError, PortResult, Press};

use crate::config::PostSettings;

pub use acks::Returned;

use super::ChannelError;

/// The shared folder.
#[derive(Clone, Debug)]
pub struct Folder {
    outgoing: PathBuf,
    incoming: PathBuf,
}

impl Folder {
    /// `None` when no folder is set. Makes `outgoing/` and `incoming/`.
    ///
    /// # Errors
    /// [`ChannelError`] when they cannot be made.
    pub(super) fn new(settings: &PostSettings) -> Result<Option<Self>, ChannelError> {
        let Some(folder) = &settings.folder else {
            return Ok(None);
        };
        let made = Self {
            outgoing: folder.join("outgoing"),
            incoming: folder.join("incoming"),
        };
        for path in [&made.outgoing, &made.incoming] {
            std::fs::create_dir_all(path)
                .map_err(|source| ChannelError::set_up("post.folder", source))?;
        }
        Ok(Some(made))
    }

    /// Envelopes that came back, not yet forgotten.
    ///
    /// # Errors
    /// [`PortError`] when the folder cannot be read.
    pub async fn returned(&self) -> PortResult<Vec<Returned>> {
        let incoming = self.incoming.clone();
        blocking(move || acks::returned(&incoming)).await
    }

    /// The returned envelopes of this batch are in the store.
    ///
    /// # Errors
    /// [`PortError`] when the file cannot be set aside.
    pub async fn forget_returned(&self, batch_name: &str) -> PortResult<()> {
        let folder = self.incoming.join(checked(batch_name)?);
        blocking(move || acks::set_aside(&folder, acks::STATUS)).await
    }
}

#[async_trait]
impl Press for Folder {
    async fn write(&self, batch: &Batch) -> PortResult<()> {
        checked(&batch.name)?;
        let (folder, batch) = (self.clone(), batch.clone());
        blocking(move || write::write(&folder.outgoing, &folder.incoming, &batch)).await
    }

    async fn acks(&self) -> PortResult<Vec<Ack>> {
        let folder = self.clone();
        blocking(move || acks::read(&folder.outgoing, &folder.incoming)).await
    }

    async fn forget(&self, batch_name: &str) -> PortResult<()> {
        let name = checked(batch_name)?.to_owned();
        let folder = self.clone();
        blocking(move || acks::forget(&folder.outgoing, &folder.incoming, &name)).await
    }
}

/// Files block; they get a thread of their own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> PortResult<T> + Send + 'static,
) -> PortResult<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(PortError::unavailable)?
}

/// A name that cannot leave its folder: `LB_<ods>_<yyyymmdd>_<seq>`.
fn checked(name: &str) -> PortResult<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.starts_with("LB_") && name.len() <= 64 && name.bytes().all(plain) {
        return Ok(name);
    }
    Err(PortError::Corrupt(
        "print_batches.name is not the name of a folder".to_owned(),
    ))
}

fn unavailable(path: &Path, source: std::io::Error) -> PortError {
    let place = path.display().to_string();
    PortError::unavailable(format!("{place}: {source}"))
}
