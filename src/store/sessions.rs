//! Signed-in browsers, socket tickets, and the receipts that sockets bring. Hashes come in; no secret ever does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use letterbox_domain::id::{AccountId, EventId, SessionId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{AccountBox, Principal, Store, StoreError, Tx};
use crate::config::SessionSettings;

/// A session is not written to at every request: this much idle time may go unnoticed, and never more than a tenth of
/// what the session may idle.
const NOTICED_AFTER: Duration = Duration::from_secs(30);

/// How long sessions last without a request, and at most.
#[derive(Clone, Debug)]
pub struct Idle {
    private: Duration,
    public: Duration,
    absolute: Duration,
    absolute_public: Duration,
}

impl Idle {
    /// The longest life of a session.
    #[must_use]
    pub fn absolute(&self, public_computer: bool) -> Duration {
        if public_computer {
            self.absolute_public
        } else {
            self.absolute
        }
    }

    /// How long a session may go unused.
    #[must_use]
    pub fn unused(&self, public_computer: bool) -> Duration {
        if public_computer {
            self.public
        } else {
            self.private
        }
    }

    /// On a public computer, on a private one: as statements take them.
    pub(super) fn seconds(&self) -> (f64, f64) {
        (self.public.as_secs_f64(), self.private.as_secs_f64())
    }
}

impl From<&SessionSettings> for Idle {
    fn from(settings: &SessionSettings) -> Self {
        Self {
            private: settings.idle,
            public: settings.idle_public,
            absolute: settings.absolute,
            absolute_public: settings.absolute_public,
        }
    }
}

/// What kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A patient or carer.
    Person,
    /// Somebody at a trust.
    Staff,
}

/// A session that stands.
#[derive(Clone, Debug)]
pub struct FoundSession {
    pub session: SessionId,
    pub account: AccountId,
    pub kind: AccountKind,
    pub csrf_secret: [u8; 32],
    pub public_computer: bool,
    /// Until it ends, if nothing is requested.
    pub left: Duration,
    /// Since its holder last proved who they are.
    pub proved_ago: Duration,
}

/// A session to be made.
#[derive(Clone)]
pub struct NewSession {
    pub session: SessionId,
    pub account: AccountId,
    pub token_sha256: [u8; 32],
    pub csrf_secret: [u8; 32],
    pub public_computer: bool,
    pub lasts: Duration,
    /// `Chrome on Windows`; at most 60 characters.
    pub browser: String,
}

/// What a ticket was good for.
#[derive(Clone, Debug)]
pub struct Redeemed {
    pub account: AccountId,
    pub session: SessionId,
    /// The database's time.
    pub now: DateTime<Utc>,
    /// Until the session ends, if no page is used.
    pub ttl: Duration,
    /// Everything the account may look at.
    pub boxes: Vec<AccountBox>,
}

/// A browser says that it has shown an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The browser's own, so that a repeat is recognized.
    pub id: Uuid,
    pub event: EventId,
    pub account: AccountId,
}

const FIND: &str = "
    SELECT s.id, s.account_id, a.kind, s.csrf_secret, s.public_computer,
           extract(epoch FROM least(s.expires_at, s.last_seen_at
               + make_interval(secs => CASE WHEN s.public_computer THEN $2::float8 ELSE $3::float8 END)) - app_now())::float8 AS secs_left,
           extract(epoch FROM app_now() - s.last_seen_at)::float8 AS secs_quiet,
           extract(epoch FROM app_now() - s.authenticated_at)::float8 AS secs_proved
    FROM sessions s JOIN accounts a ON a.id = s.account_id
    WHERE s.token_sha256 = $1 AND s.ended_at IS NULL AND a.closed_at IS NULL";

const LEFT: &str = "
    SELECT s.id, s.account_id,
           extract(epoch FROM least(s.expires_at, s.last_seen_at
               + make_interval(secs => CASE WHEN s.public_computer THEN $2::float8 ELSE $3::float8 END)) - app_now())::float8 AS secs_left,
           app_now() AS now
    FROM sessions s JOIN accounts a ON a.id = s.account_id
    WHERE s.id = ANY($1) AND s.ended_at IS NULL AND a.closed_at IS NULL";

const END_BY_TOKEN: &str = "
    UPDATE sessions SET ended_at = app_now() WHERE token_sha256 = $1 AND ended_at IS NULL
    RETURNING account_id, id";

const INSERT: &str = "
    INSERT INTO sessions (id, token_sha256, account_id, csrf_secret, public_computer, expires_at, browser)
    VALUES ($1, $2, $3, $4, $5, app_now() + make_interval(secs => $6), $7)";

/// Only receipts for events of boxes that the account may look into; a second one changes nothing.
const RECEIPTS: &str = "
    INSERT INTO receipts (id, event_id, account_id, kind)
    SELECT r.id, r.event_id, r.account_id, 'shown'
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS r (id, event_id, account_id)
    WHERE EXISTS (
        SELECT FROM events e
        WHERE e.id = r.event_id AND e.patient_id IN (
            SELECT patient_id FROM memberships WHERE account_id = r.account_id AND left_at IS NULL
            UNION ALL
            SELECT patient_id FROM grants WHERE carer_account_id = r.account_id AND revoked_at IS NULL))
    ON CONFLICT DO NOTHING";

impl Store {
    /// The standing session with this token; with `counts_as_use` its idle time starts again.
    ///
    /// # Errors
    /// Any [`StoreError`]; nobody is signed in then.
    pub async fn find_session(
        &self,
        token_sha256: &[u8; 32],
        idle: &Idle,
        counts_as_use: bool,
    ) -> Result<Option<FoundSession>, StoreError> {
        let tx = self.begin(&Principal::Anonymous).await?;
        let (public, private) = idle.seconds();
        let found = tx
            .query_opt(FIND, &[&token_sha256.as_slice(), &public, &private])
            .await?;
        let Some((row, left)) = found.and_then(|row| time_left(&row).map(|left| (row, left)))
        else {
            return Ok(None);
        };
        let mut session = session_of(&row, left)?;
        let noticed_after = NOTICED_AFTER.min(idle.unused(session.public_computer) / 10);
        if counts_as_use && row.get::<_, f64>("secs_quiet") > noticed_after.as_secs_f64() {
            let touch =
                "UPDATE sessions SET last_seen_at = app_now() WHERE id = $1 AND ended_at IS NULL";
            tx.execute(touch, &[&session.session.as_uuid()]).await?;
            let quiet = Duration::from_secs_f64(row.get("secs_quiet"));
            session.left = session.left.saturating_add(quiet);
        }
        tx.commit().await?;
        Ok(Some(session))
    }

    /// Makes a session and ends the one with the old token, if there was one. Answers what was ended.
    ///
    /// # Errors
    /// Any [`StoreError`]; nothing is changed then.
    pub async fn replace_session(
        &self,
        old_token_sha256: Option<&[u8; 32]>,
        new: &NewSession,
    ) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        let tx = self
            .begin(&Principal::Account {
                account: new.account,
            })
            .await?;
        let mut ended = Vec::new();
        if let Some(old) = old_token_sha256 {
            ended = pairs(&tx.query(END_BY_TOKEN, &[&old.as_slice()]).await?);
        }
        tx.execute(
            INSERT,
            &[
                &new.session.as_uuid(),
                &new.token_sha256.as_slice(),
                &new.account.as_uuid(),
                &new.csrf_secret.as_slice(),
                &new.public_computer,
                &new.lasts.as_secs_f64(),
                &new.browser,
            ],
        )
        .await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Ends one session of an account; another account's is left alone. Answers what was ended.
    ///
    /// # Errors
    /// Any [`StoreError`]; the session then still stands.
    pub async fn end_session(
        &self,
        account: AccountId,
        session: SessionId,
    ) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        let sql = "UPDATE sessions SET ended_at = app_now()
            WHERE id = $1 AND account_id = $2 AND ended_at IS NULL RETURNING account_id, id";
        let tx = self.begin(&Principal::Account { account }).await?;
        let (session, holder) = (session.as_uuid(), account.as_uuid());
        let ended = pairs(&tx.query(sql, &[&session, &holder]).await?);
        tx.commit().await?;
        Ok(ended)
    }

    /// Ends all sessions of an account but `kept`. Answers what was ended.
    ///
    /// # Errors
    /// Any [`StoreError`]; the sessions then still stand.
    pub async fn end_sessions_of(
        &self,
        account: AccountId,
        kept: Option<SessionId>,
    ) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        let sql = "UPDATE sessions SET ended_at = app_now()
            WHERE account_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2 RETURNING account_id, id";
        let tx = self.begin(&Principal::Account { account }).await?;
        let kept = kept.map(Uuid::from);
        let ended = pairs(&tx.query(sql, &[&account.as_uuid(), &kept]).await?);
        tx.commit().await?;
        Ok(ended)
    }

    /// Of these sessions, those that still stand, and for how long.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn sessions_left(
        &self,
        sessions: &[SessionId],
        idle: &Idle,
    ) -> Result<Vec<(SessionId, Duration)>, StoreError> {
        let tx = self.begin(&Principal::Anonymous).await?;
        let rows = left_of(&tx, sessions, idle).await?;
        tx.commit().await?;
        Ok(rows
            .iter()
            .filter_map(|row| Some((row.get::<_, Uuid>("id").into(), time_left(row)?)))
            .collect())
    }

    /// Sessions that were ended lately, on whatever node.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn sessions_ended_within(
        &self,
        lately: Duration,
    ) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        let sql = "SELECT account_id, id FROM sessions WHERE ended_at > app_now() - make_interval(secs => $1)";
        let tx = self.begin(&Principal::Anonymous).await?;
        let ended = pairs(&tx.query(sql, &[&lately.as_secs_f64()]).await?);
        tx.commit().await?;
        Ok(ended)
    }

    /// Keeps a ticket's hash until it is used or too old.
    ///
    /// # Errors
    /// Any [`StoreError`]; the ticket is worth nothing then.
    pub async fn insert_ticket(
        &self,
        ticket_sha256: &[u8; 32],
        account: AccountId,
        session: SessionId,
        lives: Duration,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO live_tickets (ticket_sha256, session_id, account_id, expires_at)
            VALUES ($1, $2, $3, app_now() + make_interval(secs => $4))";
        let tx = self.begin(&Principal::Account { account }).await?;
        let (session, holder) = (session.as_uuid(), account.as_uuid());
        tx.execute(
            sql,
            &[
                &ticket_sha256.as_slice(),
                &session,
                &holder,
                &lives.as_secs_f64(),
            ],
        )
        .await?;
        tx.commit().await
    }

    /// Spends a ticket. `None` when it is unknown, spent, too old, or its session has ended.
    ///
    /// # Errors
    /// Any [`StoreError`]; the ticket may be spent or not.
    pub async fn redeem_ticket(
        &self,
        ticket_sha256: &[u8; 32],
        idle: &Idle,
    ) -> Result<Option<Redeemed>, StoreError> {
        let sql = "DELETE FROM live_tickets WHERE ticket_sha256 = $1
            RETURNING session_id, expires_at > app_now() AS fresh";
        let tx = self.begin(&Principal::SERVER).await?;
        let spent = tx.query_opt(sql, &[&ticket_sha256.as_slice()]).await?;
        let redeemed = match spent {
            Some(row) if row.get("fresh") => {
                let session = row.get::<_, Uuid>("session_id").into();
                opened_by(&tx, session, idle).await?
            }
            _ => None,
        };
        tx.commit().await?;
        Ok(redeemed)
    }

    /// Keeps receipts. Those for events that the account may not see are dropped without a word.
    ///
    /// # Errors
    /// Any [`StoreError`]; none is kept then.
    pub async fn record_shown(&self, receipts: &[Shown]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = receipts.iter().map(|receipt| receipt.id).collect();
        let events: Vec<Uuid> = receipts
            .iter()
            .map(|receipt| receipt.event.as_uuid())
            .collect();
        let accounts: Vec<Uuid> = receipts
            .iter()
            .map(|receipt| receipt.account.as_uuid())
            .collect();
        let tx = self.begin(&Principal::SERVER).await?;
        tx.execute(RECEIPTS, &[&ids, &events, &accounts]).await?;
        tx.commit().await
    }
}

async fn opened_by(
    tx: &Tx,
    session: SessionId,
    idle: &Idle,
) -> Result<Option<Redeemed>, StoreError> {
    let rows = left_of(tx, &[session], idle).await?;
    let Some((row, ttl)) = rows.first().and_then(|row| Some((row, time_left(row)?))) else {
        return Ok(None);
    };
    let account = row.get::<_, Uuid>("account_id").into();
    Ok(Some(Redeemed {
        account,
        session,
        now: row.get("now"),
        ttl,
        boxes: super::circle::boxes(tx, account).await?,
    }))
}

async fn left_of(tx: &Tx, sessions: &[SessionId], idle: &Idle) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<Uuid> = sessions.iter().map(SessionId::as_uuid).collect();
    let (public, private) = idle.seconds();
    tx.query(LEFT, &[&ids, &public, &private]).await
}

/// `None` when the session has run out.
fn time_left(row: &Row) -> Option<Duration> {
    let secs: f64 = row.get("secs_left");
    (secs > 0.0).then(|| Duration::from_secs_f64(secs))
}

fn session_of(row: &Row, left: Duration) -> Result<FoundSession, StoreError> {
    let csrf_secret: Vec<u8> = row.get("csrf_secret");
    let csrf_secret = csrf_secret
        .try_into()
        .map_err(|_| StoreError::corrupt("sessions", "csrf_secret", "32 bytes"))?;
    let kind = match row.get::<_, &str>("kind") {
        "person" => AccountKind::Person,
        "staff" => AccountKind::Staff,
        _ => return Err(StoreError::corrupt("accounts", "kind", "person or staff")),
    };
    Ok(FoundSession {
        session: row.get::<_, Uuid>("id").into(),
        account: row.get::<_, Uuid>("account_id").into(),
        kind,
        csrf_secret,
        public_computer: row.get("public_computer"),
        left,
        // Never negative, whatever the clock of a test has done.
        proved_ago: Duration::from_secs_f64(row.get::<_, f64>("secs_proved").max(0.0)),
    })
}

fn pairs(rows: &[Row]) -> Vec<(AccountId, SessionId)> {
    rows.iter()
        .map(|row| (row.get::<_, Uuid>(0).into(), row.get::<_, Uuid>(1).into()))
        .collect()
}
