//! The manifest: one JSON line per envelope, the same bytes for the same batch on every try.

use letterbox_actors::ports::{Batch, BatchItem, PortError, PortResult};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

#[derive(Serialize)]
struct Line<'a> {
    letter_id: Uuid,
    version: i32,
    sha256: String,
    pages: i32,
    postage: &'static str,
    duplex: bool,
    colour: bool,
    format: &'a str,
    address_lines: &'a [String],
    postcode: &'a str,
    /// The print house puts its mail barcode where this says so.
    barcode: bool,
    /// Envelopes with the same key may be put together; ours never are.
    group_key: Uuid,
}

/// A line as we read it back.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) letter_id: Uuid,
}

/// The text and its SHA-256 in hex.
///
/// # Errors
/// [`PortError::Corrupt`] when an item is not what its row says: then nothing of the batch may be printed.
pub(super) fn of(batch: &Batch) -> PortResult<(String, String)> {
    let mut items: Vec<&BatchItem> = batch.items.iter().collect();
    items.sort_by_key(|item| (item.subject, item.version));
    let mut text = String::new();
    for item in items {
        let line = serde_json::to_string(&line(item)?);
        text += &line.map_err(PortError::unavailable)?;
        text.push('\n');
    }
    let sha256 = hex::encode(Sha256::digest(&text));
    Ok((text, sha256))
}

fn line(item: &BatchItem) -> PortResult<Line<'_>> {
    let wrong = |what: &str| {
        let dispatch = item.dispatch;
        PortError::Corrupt(format!("print_items of dispatch {dispatch}: {what}"))
    };
    if Sha256::digest(&item.pdf)[..] != item.sha256 {
        return Err(wrong("the document does not match its hash"));
    }
    let Some((postcode, address_lines)) = item.address_lines.split_last() else {
        return Err(wrong("address_lines is empty"));
    };
    if address_lines.is_empty() {
        return Err(wrong("address_lines holds no more than a postcode"));
    }
    Ok(Line {
        letter_id: item.subject,
        version: item.version,
        sha256: hex::encode(item.sha256),
        pages: item.pages,
        postage: item.postage.as_str(),
        duplex: true,
        colour: false,
        format: format(&item.format),
        address_lines,
        postcode,
        barcode: true,
        group_key: item.subject,
    })
}

/// The print house's words for what we call `standard` and `large_print`; the others are the same.
fn format(ours: &str) -> &str {
    match ours {
        "standard" => "std",
        "large_print" => "large16",
        other => other,
    }
}
