//! Sending mails and texts to accounts: claimed under a lease, checked once more, handed over outside any transaction, recorded.
//! The dispatcher's own rules, on another table.
//!
//! A provider of texts can be asked what it has, and is, by the dispatcher. A mail server cannot be asked what it has. So a mail whose outcome nobody knows ends as `unknown` and is not sent
//! again by itself; whoever caused it can ask for another one.

use async_trait::async_trait;
use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::{ClaimedDispatch, DispatchStore, NodeId, Outgoing, PortResult};
use letterbox_domain::account_mail::AccountMail;
use letterbox_domain::dispatch::{Channel, Outcome};
use letterbox_domain::message::Text;
use letterbox_domain::time::local_date;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use uuid::Uuid;

use super::wanted;
use crate::store::ladder::{Sender, acting, housekeeping};
use crate::store::{Store, StoreError, Tx};

/// Attempts until a mail is given up. A provider that says "later" does so for a minute or more each time, so this is
/// the better part of an hour, and five hours where our own account is at fault.
const MOST_ATTEMPTS: i32 = 60;

const NEXT_DUE: &str = "
    SELECT extract(epoch FROM min(greatest(due_at, lease_until)) - app_now())::float8
    FROM account_mails WHERE channel = $1 AND state IN ('queued', 'sending')";

const CLAIM: &str = "
    UPDATE account_mails SET state = 'sending', attempt = attempt + 1, lease_node = $3,
                             lease_until = app_now() + make_interval(secs => $2)
    WHERE id = ANY (ARRAY (
        SELECT id FROM account_mails
        WHERE channel = $4 AND state IN ('queued', 'sending') AND due_at <= app_now() AND (lease_until IS NULL OR lease_until <= app_now())
        ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING id, attempt, kind, to_address, params, invitation_id, appointment_id, app_now() AS now,
              leaving_at IS NOT NULL AS unknown_before";

/// The token lives from here on in the mail alone; an earlier one, whose mail did not arrive, answers nothing.
const NEW_TOKEN: &str = "
    UPDATE invitations i SET token_sha256 = $2 FROM patients p
    WHERE i.id = $1 AND i.outcome IS NULL AND p.id = i.patient_id
    RETURNING p.given_name, i.expires_at";

const REMINDED_OF: &str = "SELECT starts_at FROM appointments WHERE id = $1";

/// A text that did not arrive after all.
const HEARD: &str = "
    UPDATE account_mails SET state = 'failed', code = coalesce($2, code), finished_at = coalesce(finished_at, app_now())
    WHERE id = $1 AND channel = 'text' AND state IN ('sending', 'sent', 'unknown')";

const RECORD: &str = "
    UPDATE account_mails SET state = $3, provider_reference = $4, code = $5,
           due_at = app_now() + make_interval(secs => $6), lease_until = NULL, lease_node = NULL,
           leaving_at = CASE WHEN $3 = 'queued' THEN NULL ELSE leaving_at END,
           finished_at = CASE WHEN $3 IN ('queued', 'sending') THEN NULL ELSE app_now() END
    WHERE id = $1 AND attempt = $2 AND state = 'sending'";

/// Seconds until a provider is asked about a text that it may have taken.
const LOOK_UP_AFTER: f64 = 30.0;

/// Mails to accounts, on PostgreSQL.
#[derive(Clone)]
pub struct AccountMails {
    pub(super) store: Store,
    sender: Sender,
}

impl std::fmt::Debug for AccountMails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountMails")
    }
}

impl AccountMails {
    /// Uses the connections kept for deadlines.
    #[must_use]
    pub fn new(store: &Store, sender: Sender) -> Self {
        Self {
            store: store.scheduler(),
            sender,
        }
    }

    async fn claim_in(
        &self,
        tx: Tx,
        (node, channel): (NodeId, Channel),
        limit: u16,
        lease: TimeDelta,
    ) -> Result<Vec<ClaimedDispatch>, StoreError> {
        let secs = lease.as_seconds_f64();
        let params: crate::store::Params<'_> =
            &[&i64::from(limit), &secs, &node.0, &channel.name()];
        let rows = tx.query(CLAIM, params).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: Uuid = row.get("id");
            let outgoing = match self.outgoing(&tx, row, channel).await {
                Ok(outgoing) => outgoing,
                // One senseless row must not keep its neighbours waiting.
                Err(StoreError::Corrupt { table, column, why }) => {
                    tracing::error!(mail = %id, table, column, why, "a mail cannot be made");
                    None
                }
                Err(other) => return Err(other),
            };
            let Some(outgoing) = outgoing else {
                tx.execute(wanted::CANCEL, &[&id]).await?;
                continue;
            };
            claimed.push(ClaimedDispatch {
                id: id.into(),
                attempt: row.get("attempt"),
                channel,
                outgoing,
                unknown_before: row.get("unknown_before"),
            });
        }
        Ok(claimed)
    }

    /// `None` when there is nothing left to say.
    async fn outgoing(
        &self,
        tx: &Tx,
        row: &Row,
        channel: Channel,
    ) -> Result<Option<Outgoing>, StoreError> {
        let id: Uuid = row.get("id");
        let kind: &str = row.get("kind");
        let params: Value = row.get("params");
        let portal = self.sender.portal.as_deref();
        let mail = match kind {
            // It may have left: no other token, and no other mail.
            "invitation" if row.get("unknown_before") => None,
            "invitation" => match self.invitation(tx, row.get("invitation_id")).await? {
                Some(words) => Some(words),
                None => return Ok(None),
            },
            "read_for_you" => Some(self.worded(AccountMail::ReadForYou, portal)),
            "something_new" => Some(self.worded(AccountMail::SomethingNew, portal)),
            "still_reading" => {
                let until = instant(&params["until"])?;
                Some(self.worded(AccountMail::StillReading { until }, portal))
            }
            "reminder" => Some(self.reminder(tx, row, channel).await?),
            _ => return Err(StoreError::corrupt("account_mails", "kind", "no such kind")),
        };
        let (subject, body) = mail.unwrap_or_default();
        Ok(Some(Outgoing {
            key: id.into(),
            to: row.get("to_address"),
            subject,
            body,
        }))
    }

    async fn invitation(
        &self,
        tx: &Tx,
        invitation: Option<Uuid>,
    ) -> Result<Option<(String, String)>, StoreError> {
        let token = fresh_token()?;
        let Some(row) = tx
            .query_opt(NEW_TOKEN, &[&invitation, &sha256(&token).as_slice()])
            .await?
        else {
            return Ok(None);
        };
        let portal = self.sender.portal.as_deref().unwrap_or_default();
        let link = format!("{}/invitations/{token}", portal.trim_end_matches('/'));
        let mail = AccountMail::Invitation {
            inviter: row.get(0),
            link: &link,
            until: row.get(1),
        };
        Ok(Some(self.worded(mail, None)))
    }

    async fn reminder(
        &self,
        tx: &Tx,
        row: &Row,
        channel: Channel,
    ) -> Result<(String, String), StoreError> {
        let of: Option<Uuid> = row.get("appointment_id");
        let starts_at = tx.query_one(REMINDED_OF, &[&of]).await?.try_get(0)?;
        let today = local_date(row.get("now"));
        if channel == Channel::Email {
            let mail = AccountMail::Reminder { starts_at, today };
            return Ok(self.worded(mail, self.sender.portal.as_deref()));
        }
        let text = Text::reminder(&self.sender.service, starts_at, today)
            .map_err(|error| StoreError::Unfit(format!("a reminder cannot be worded: {error}")))?;
        Ok((String::new(), text.body().to_owned()))
    }

    fn worded(&self, mail: AccountMail<'_>, portal: Option<&str>) -> (String, String) {
        let email = mail.worded(&self.sender.service, portal);
        (email.subject, email.body)
    }
}

#[async_trait]
impl DispatchStore for AccountMails {
    async fn next_due(&self, channel: Channel) -> PortResult<Option<TimeDelta>> {
        let tx = self.store.begin(&housekeeping()).await?;
        let row = tx.query_one(NEXT_DUE, &[&channel.name()]).await?;
        tx.commit().await?;
        let secs: Option<f64> = row.try_get(0).map_err(StoreError::from)?;
        Ok(secs.map(|secs| TimeDelta::milliseconds((secs * 1_000.0).ceil() as i64)))
    }

    async fn claim(
        &self,
        node: NodeId,
        channel: Channel,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<Vec<ClaimedDispatch>> {
        let claim = |tx: Tx| self.claim_in(tx, (node, channel), limit, lease);
        Ok(self
            .store
            .run("account_mails.claim", &acting(node), claim)
            .await?)
    }

    async fn still_wanted(&self, claimed: &ClaimedDispatch) -> PortResult<bool> {
        let (id, attempt) = (claimed.id.as_uuid(), claimed.attempt);
        let ask = |tx: Tx| async move { wanted::judge(&tx, id, attempt).await };
        Ok(self
            .store
            .run("account_mails.still_wanted", &housekeeping(), ask)
            .await?)
    }

    async fn record(&self, claimed: &ClaimedDispatch, outcome: Outcome) -> PortResult<bool> {
        let (id, attempt) = (claimed.id.as_uuid(), claimed.attempt);
        let given_up = attempt >= MOST_ATTEMPTS;
        let (state, reference, code, wait) = match &outcome {
            Outcome::Accepted { reference } => ("sent", Some(reference.as_str()), None, 0.0),
            Outcome::Rejected { code } => ("failed", None, Some(code.as_str()), 0.0),
            Outcome::Later { .. } if given_up => ("failed", None, Some("given_up"), 0.0),
            Outcome::Later { after } => ("queued", None, None, after.as_secs_f64()),
            // It may have been sent: the next claim asks the provider before anything else.
            Outcome::Unknown if claimed.channel == Channel::Text && !given_up => {
                ("sending", None, None, LOOK_UP_AFTER)
            }
            Outcome::Unknown => ("unknown", None, None, 0.0),
        };
        let write = |tx: Tx| async move {
            tx.execute(RECORD, &[&id, &attempt, &state, &reference, &code, &wait])
                .await
        };
        let written = self
            .store
            .run("account_mails.record", &housekeeping(), write)
            .await?;
        Ok(written == 1)
    }
}

/// A provider's late word about a text to an account; whether there is such a text and it has not arrived.
pub(in crate::store) async fn not_arrived(
    tx: &Tx,
    id: Uuid,
    code: Option<&str>,
) -> Result<bool, StoreError> {
    Ok(tx.execute(HEARD, &[&id, &code]).await? == 1)
}

/// The hash under which a token is kept.
#[must_use]
pub fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// 256 random bits as 64 characters that may stand in an address of ours.
fn fresh_token() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes)
        .map_err(|_| StoreError::Unfit("the system gives no random numbers".to_owned()))?;
    Ok(hex::encode(bytes))
}

fn instant(seconds: &Value) -> Result<DateTime<Utc>, StoreError> {
    let at = seconds
        .as_i64()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    at.ok_or_else(|| StoreError::corrupt("account_mails", "params", "no instant"))
}
