//! The print house's answers: files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::clock::now;
use crate::world::Answered;

/// Writes `<acks>/<batch>/ack.jsonl`: a line per item, then a line with the counts and the manifest's hash.
pub(super) fn write(
    acks: &Path,
    batch: &str,
    manifest_sha256: &str,
    items: &[Answered],
) -> Result<()> {
    let mut text = String::new();
    for item in items {
        let line = json!({
            "letter_id": item.letter_id,
            "version": item.version,
            "result": if item.refused.is_none() { "accepted" } else { "rejected" },
            "reason": item.refused,
        });
        text += &format!("{line}\n");
    }
    let rejected = items.iter().filter(|item| item.refused.is_some()).count();
    let total = json!({
        "batch": batch,
        "accepted": items.len() - rejected,
        "rejected": rejected,
        "count": items.len(),
        "manifest_sha256": manifest_sha256,
    });
    text += &format!("{total}\n");
    place(acks, batch, "ack.jsonl", &text)
}

/// Says that the whole batch was unreadable; nothing of it was printed.
pub(super) fn write_refusal(acks: &Path, batch: &str, reason: &str) -> Result<()> {
    let total = json!({
        "batch": batch,
        "accepted": 0,
        "rejected": 0,
        "count": 0,
        "manifest_sha256": null,
        "reason": reason,
    });
    place(acks, batch, "ack.jsonl", &format!("{total}\n"))
}

/// Adds a returned envelope to `<acks>/<batch>/status.jsonl`.
pub(super) fn add_status(
    acks: &Path,
    batch: &str,
    letter_id: &str,
    version: u64,
    reason: &str,
) -> Result<()> {
    let earlier = fs::read_to_string(acks.join(batch).join("status.jsonl"));
    let mut text = match earlier {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        earlier => earlier?,
    };
    let line = json!({
        "letter_id": letter_id,
        "version": version,
        "status": "RETURNED",
        "reason_code": reason,
        "at": now(),
    });
    text += &format!("{line}\n");
    place(acks, batch, "status.jsonl", &text)
}

fn place(acks: &Path, batch: &str, name: &str, text: &str) -> Result<()> {
    let folder = acks.join(batch);
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let part = folder.join(format!("{name}.part"));
    let mut file = File::create(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, folder.join(name))?;
    File::open(&folder)?.sync_all()?;
    File::open(acks)?.sync_all()?;
    Ok(())
}
