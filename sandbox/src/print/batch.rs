//! Reads one batch folder and checks every promise its manifest makes.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Batches the house will look at in one drop; the client clears away what was acknowledged.
const FOLDERS_MAX: usize = 10_000;
/// Letters in one batch.
const ITEMS_MAX: usize = 5_000;
/// A manifest line is below 2 KB.
const MANIFEST_MAX_BYTES: u64 = 10 * 1024 * 1024;
/// One letter's PDF.
const PDF_MAX_BYTES: u64 = 20 * 1024 * 1024;
/// Lines that a window envelope shows.
const ADDRESS_LINES: std::ops::RangeInclusive<usize> = 1..=7;

/// One line of the manifest. Fields that the house does not use may be there too.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Item {
    pub(super) letter_id: String,
    pub(super) version: u64,
    pub(super) sha256: String,
    pub(super) pages: u64,
    pub(super) postage: String,
    #[serde(default = "standard")]
    pub(super) format: String,
    pub(super) address_lines: Vec<String>,
    pub(super) postcode: String,
    #[serde(skip)]
    pub(super) verdict: Verdict,
}

/// Whether an item can be printed.
#[derive(Debug, Clone, Default)]
pub(super) enum Verdict {
    #[default]
    Good,
    Wrong(&'static str),
}

fn standard() -> String {
    "std".into()
}

/// Whole batch folders in the drop: named `LB_<ods>_<yyyymmdd>_<seq>` and marked READY. Names that begin
/// with a dot or end in `.part` are somebody's unfinished work.
pub(super) fn names(drop: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(drop)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| is_batch_name(name)) else {
            continue;
        };
        if names.len() < FOLDERS_MAX && drop.join(name).join("READY").is_file() {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn is_batch_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let [prefix, ods, day, seq] = parts[..] else {
        return false;
    };
    let digits = |s: &str| !s.is_empty() && s.len() <= 10 && s.bytes().all(|b| b.is_ascii_digit());
    prefix == "LB"
        && (1..=12).contains(&ods.len())
        && ods.bytes().all(|b| b.is_ascii_alphanumeric())
        && day.len() == 8
        && digits(day)
        && digits(seq)
}

/// The manifest's hash and every item with its verdict.
///
/// # Errors
/// A sentence, when the batch as a whole cannot be trusted; then nothing of it is printed.
pub(super) fn read(folder: &Path, name: &str) -> Result<(String, Vec<Item>), String> {
    let manifest = bounded(&folder.join("manifest.jsonl"), MANIFEST_MAX_BYTES)
        .ok_or("manifest.jsonl is missing or too large")?;
    let sha256 = hex::encode(Sha256::digest(&manifest));
    let stated =
        bounded(&folder.join("manifest.sha256"), 1_024).ok_or("manifest.sha256 is missing")?;
    let stated = String::from_utf8_lossy(&stated);
    if stated.split_ascii_whitespace().next() != Some(sha256.as_str()) {
        return Err(format!(
            "manifest.jsonl of {name} does not match manifest.sha256"
        ));
    }
    let text = std::str::from_utf8(&manifest).map_err(|_| "the manifest is not UTF-8")?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let items: Result<Vec<Item>, _> = lines.map(serde_json::from_str).collect();
    let mut items = items.map_err(|error| format!("a manifest line cannot be read: {error}"))?;
    if items.is_empty() || items.len() > ITEMS_MAX {
        return Err(format!("a batch holds 1 to {ITEMS_MAX} letters"));
    }
    let mut seen = HashSet::new();
    for item in &mut items {
        if !seen.insert(item.letter_id.clone()) {
            return Err("a letter stands twice in the manifest".into());
        }
        item.verdict = check(folder, item).map_or(Verdict::Good, Verdict::Wrong);
    }
    Ok((sha256, items))
}

/// What is wrong with an item, if anything.
fn check(folder: &Path, item: &Item) -> Option<&'static str> {
    let id = &item.letter_id;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if id.is_empty() || id.len() > 64 || !id.bytes().all(plain) {
        return Some("letter_id is not a plain name");
    }
    let lines = &item.address_lines;
    let empty = lines.iter().any(|line| line.trim().is_empty());
    if !ADDRESS_LINES.contains(&lines.len()) || empty || item.postcode.trim().is_empty() {
        return Some("the address is incomplete");
    }
    if !["first", "second", "economy"].contains(&item.postage.as_str()) {
        return Some("postage is first, second or economy");
    }
    let Some(pdf) = bounded(&folder.join(format!("{id}.pdf")), PDF_MAX_BYTES) else {
        return Some("the PDF is missing or too large");
    };
    if !pdf.starts_with(b"%PDF-") {
        return Some("the file is not a PDF");
    }
    (hex::encode(Sha256::digest(&pdf)) != item.sha256).then_some("the PDF does not match its hash")
}

/// The manifest's hash, or nothing where there is none.
pub(super) fn manifest_sha256(folder: &Path) -> String {
    let manifest = bounded(&folder.join("manifest.jsonl"), MANIFEST_MAX_BYTES);
    manifest
        .map(|bytes| hex::encode(Sha256::digest(bytes)))
        .unwrap_or_default()
}

fn bounded(path: &Path, max: u64) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= max).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::is_batch_name;

    #[test]
    fn only_whole_batches_have_a_batch_name() {
        assert!(is_batch_name("LB_RLQ_20261124_1"));
        for name in [
            "LB_RLQ_20261124_1.part",
            ".LB_RLQ_20261124_1",
            "LB_RLQ_2026112_1",
            "LB__20261124_1",
            "LB_RLQ_20261124_",
            "acks",
        ] {
            assert!(!is_batch_name(name), "{name}");
        }
    }
}
