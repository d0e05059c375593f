//! What comes by the portal today and what still comes by post, for whoever is about to join.

use chrono::{DateTime, Utc};
use letterbox_domain::letter::LetterKind;

use crate::store::{StoreError, Tx};

/// One row of the roll-out, or a trust without any.
#[derive(Clone, Debug)]
pub struct ComesHere {
    /// The trust's name.
    pub trust: String,
    /// `None` where nothing of the trust is planned yet.
    pub row: Option<ComesHereRow>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// Which letters, since or from when.
#[derive(Clone, Debug)]
pub struct ComesHereRow {
    /// `None` stands for every specialty.
    pub specialty: Option<String>,
    pub kind: LetterKind,
    pub live_from: DateTime<Utc>,
}

/// The whole roll-out, trust by trust.
///
/// # Errors
/// Any [`StoreError`].
pub async fn comes_here(tx: &Tx) -> Result<Vec<ComesHere>, StoreError> {
    let sql = "
        SELECT t.name, r.specialty, r.letter_kind, r.live_from, app_now() AS now
        FROM trusts t LEFT JOIN rollout r ON r.trust_id = t.id
        ORDER BY t.name, r.specialty, r.letter_kind";
    let rows = tx.query(sql, &[]).await?;
    rows.iter()
        .map(|row| {
            let kind: Option<&str> = row.get("letter_kind");
            let kind = kind
                .map(|name| {
                    LetterKind::from_name(name)
                        .ok_or_else(|| StoreError::corrupt("rollout", "letter_kind", "unknown"))
                })
                .transpose()?;
            let specialty: Option<String> = row.get("specialty");
            let planned = kind.zip(row.get::<_, Option<DateTime<Utc>>>("live_from"));
            Ok(ComesHere {
                trust: row.get("name"),
                row: planned.map(|(kind, live_from)| ComesHereRow {
                    specialty: specialty.filter(|name| name != "*"),
                    kind,
                    live_from,
                }),
                now: row.get("now"),
            })
        })
        .collect()
}
