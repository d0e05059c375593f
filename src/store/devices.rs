//! The signed-in browsers of one account, as their owner sees them, and the proof of who they are being renewed.

use chrono::{DateTime, Utc};
use letterbox_domain::id::{AccountId, SessionId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::sessions::Idle;
use super::{Principal, Store, StoreError, Tx};

/// One browser that is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub session: SessionId,
    /// `Chrome on Windows`.
    pub browser: String,
    pub public_computer: bool,
    pub signed_in_at: DateTime<Utc>,
    /// Noticed at most half a minute late.
    pub last_used_at: DateTime<Utc>,
    /// The database's time.
    pub now: DateTime<Utc>,
}

/// Nobody has fifty browsers; whoever has still sees those used last, and can end all others.
const DEVICES: &str = "
    SELECT s.id, s.browser, s.public_computer, s.created_at, s.last_seen_at, app_now() AS now
    FROM sessions s
    WHERE s.account_id = $1 AND s.ended_at IS NULL AND s.expires_at > app_now()
      AND s.last_seen_at + make_interval(secs => CASE WHEN s.public_computer THEN $2::float8 ELSE $3::float8 END) > app_now()
    ORDER BY s.last_seen_at DESC LIMIT 50";

/// The browsers that `account` is signed in on, the one used last first.
///
/// # Errors
/// Any [`StoreError`].
pub async fn devices(tx: &Tx, account: AccountId, idle: &Idle) -> Result<Vec<Device>, StoreError> {
    let (public, private) = idle.seconds();
    let rows = tx
        .query(DEVICES, &[&account.as_uuid(), &public, &private])
        .await?;
    Ok(rows.iter().map(device).collect())
}

fn device(row: &Row) -> Device {
    Device {
        session: row.get::<_, Uuid>("id").into(),
        browser: row.get("browser"),
        public_computer: row.get("public_computer"),
        signed_in_at: row.get("created_at"),
        last_used_at: row.get("last_seen_at"),
        now: row.get("now"),
    }
}

impl Store {
    /// The holder of this session has just proved again who they are. Answers whether the session still stands.
    ///
    /// # Errors
    /// Any [`StoreError`]; the proof is not remembered then.
    pub async fn reauthenticated(
        &self,
        account: AccountId,
        session: SessionId,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE sessions SET authenticated_at = app_now(), last_seen_at = app_now()
            WHERE id = $1 AND account_id = $2 AND ended_at IS NULL";
        let tx = self.begin(&Principal::Account { account }).await?;
        let changed = tx
            .execute(sql, &[&session.as_uuid(), &account.as_uuid()])
            .await?;
        tx.commit().await?;
        Ok(changed == 1)
    }
}
