//! Writes one batch folder so that it stands whole under its name, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use letterbox_actors::ports::{Batch, PortError, PortResult};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use uuid::Uuid;

use super::{acks, manifest, unavailable};
use crate::crash;

/// Writes the batch unless it stands there, or was answered, with the same manifest.
pub(super) fn write(outgoing: &Path, incoming: &Path, batch: &Batch) -> PortResult<()> {
    let (text, sha256) = manifest::of(batch)?;
    let place = outgoing.join(&batch.name);
    if stands(&place, &sha256)? {
        return Ok(());
    }
    if let Some(answered) = acks::answered(incoming, &batch.name)? {
        // A restored database has forgotten it; the print house has not. It tells us again.
        if answered == sha256 {
            return acks::bring_back(incoming, &batch.name);
        }
        return Err(conflict(&batch.name));
    }
    crash::point("print.before_write");
    let part = outgoing.join(format!(".{}.{}.part", batch.name, Uuid::new_v4().simple()));
    let written = fill(&part, batch, &text, &sha256).and_then(|()| put(&part, &place));
    match written {
        Ok(()) => sync(outgoing).and_then(|()| tidy(outgoing, &batch.name)),
        // Another node may have been quicker: then its batch is ours, and our draft goes.
        Err(error) => {
            if let Err(left) = fs::remove_dir_all(&part)
                && left.kind() != ErrorKind::NotFound
            {
                tracing::warn!(batch = %batch.name, "an unfinished batch folder stays behind");
            }
            if stands(&place, &sha256)? {
                Ok(())
            } else {
                Err(error)
            }
        }
    }
}

/// Whether the batch stands under its name with this manifest.
fn stands(place: &Path, sha256: &str) -> PortResult<bool> {
    match fs::read_to_string(place.join("manifest.sha256")) {
        Ok(stated) if stated.split_ascii_whitespace().next() == Some(sha256) => Ok(true),
        Ok(_) => Err(conflict(
            &place.file_name().unwrap_or_default().to_string_lossy(),
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unavailable(place, error)),
    }
}

fn conflict(name: &str) -> PortError {
    PortError::Corrupt(format!(
        "print_batches {name}: another batch has gone out under this name; nothing is overwritten"
    ))
}

fn fill(part: &Path, batch: &Batch, manifest: &str, sha256: &str) -> PortResult<()> {
    fs::create_dir(part).map_err(|error| unavailable(part, error))?;
    for item in &batch.items {
        file(part, &format!("{}.pdf", item.subject), &item.pdf)?;
        crash::point("print.mid_write");
    }
    file(part, "manifest.jsonl", manifest.as_bytes())?;
    let stated = format!("{sha256}  manifest.jsonl\n");
    file(part, "manifest.sha256", stated.as_bytes())?;
    file(part, "READY", b"")?;
    sync(part)
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PortResult<()> {
    let path = folder.join(name);
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| unavailable(&path, error))
}

fn put(part: &Path, place: &Path) -> PortResult<()> {
    crash::point("print.before_rename");
    renameat_with(CWD, part, CWD, place, RenameFlags::NOREPLACE)
        .map_err(|error| unavailable(place, error.into()))?;
    crash::point("print.after_rename");
    Ok(())
}

fn sync(folder: &Path) -> PortResult<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| unavailable(folder, error))
}

/// Drafts of the same batch that a killed process left: the batch stands, so they are nobody's.
fn tidy(outgoing: &Path, name: &str) -> PortResult<()> {
    let entries = fs::read_dir(outgoing).map_err(|error| unavailable(outgoing, error))?;
    let prefix = format!(".{name}.");
    for entry in entries {
        let path = entry.map_err(|error| unavailable(outgoing, error))?.path();
        let draft = path
            .file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with(&prefix));
        if draft && let Err(error) = fs::remove_dir_all(&path) {
            tracing::warn!(batch = name, %error, "an unfinished batch folder stays behind");
        }
    }
    Ok(())
}
