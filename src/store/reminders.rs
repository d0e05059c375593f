//! Reminders of appointments: who wants them, and queueing those that are due. When one is due is the domain's.
//!
//! The key of a reminder is the appointment, its change and the notice: so a sweep that runs twice, late or on two
//! nodes queues none twice, and an appointment that has moved is a new matter. Nothing is sent here.

use chrono::{DateTime, Utc};
use letterbox_domain::dispatch::Channel;
use letterbox_domain::id::{AccountId, AppointmentId};
use letterbox_domain::person::{Email, Mobile};
use letterbox_domain::reminder::Notice;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::choices::record;
use super::ladder::housekeeping;
use super::mails::{self, MailKind, NewMail, To};
use super::{Principal, Store, StoreError, Tx};

/// Rows looked at in one transaction, so that none is long; the next page follows at once.
const PAGE: i64 = 200;

const CHOOSE: &str = "
    UPDATE memberships SET reminders = $2,
           reminders_since = CASE WHEN $2::text IS NOT NULL THEN coalesce(reminders_since, app_now()) END
    WHERE account_id = $1 AND left_at IS NULL RETURNING patient_id";

/// Booked appointments that start in the window and have not been reminded of, by start; contacts that work only.
const DUE: &str = "
    SELECT a.id, a.trust_id, a.change, a.starts_at, greatest(a.changed_at, m.reminders_since) AS known_since,
           m.account_id, c.channel, c.contact
    FROM appointments a
    JOIN patients p ON p.id = a.patient_id AND p.deceased_at IS NULL
    JOIN memberships m ON m.patient_id = a.patient_id AND m.left_at IS NULL
    JOIN accounts o ON o.id = m.account_id AND o.closed_at IS NULL
    JOIN LATERAL (VALUES ('email', o.email, o.email_verified_at, m.email_choice),
                         ('text', o.mobile, o.mobile_verified_at, m.text_choice))
         AS c (channel, contact, verified_at, choice) ON c.channel = m.reminders
    WHERE a.state = 'booked' AND (a.starts_at, a.id) > ($1, $3) AND a.starts_at < $2 AND a.starts_at > app_now()
      AND c.contact IS NOT NULL AND c.verified_at IS NOT NULL AND c.choice <> 'never'
      AND NOT EXISTS (SELECT FROM bad_contacts b WHERE (b.patient_id, b.channel, b.contact) = (p.id, c.channel, c.contact))
      AND NOT EXISTS (SELECT FROM account_mails r WHERE r.appointment_id = a.id AND r.kind = 'reminder'
                      AND r.params = jsonb_build_object('change', a.change, 'days', $4::integer))
    ORDER BY a.starts_at, a.id LIMIT $5";

/// Where a sweep goes on.
type Place = (DateTime<Utc>, Uuid);

impl Store {
    /// Keeps how a patient wants to be reminded, or that they do not; `false` for an account without a mailbox.
    /// What was due before they asked is not sent.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn choose_reminders(
        &self,
        account: AccountId,
        by: Option<Channel>,
    ) -> Result<bool, StoreError> {
        let choose = |tx: Tx| async move {
            let name = by.map(Channel::name);
            let Some(row) = tx.query_opt(CHOOSE, &[&account.as_uuid(), &name]).await? else {
                return Ok::<_, StoreError>(false);
            };
            let facts = json!({ "reminders": name });
            record(
                &tx,
                account,
                row.try_get(0)?,
                "account.reminders_chosen",
                facts,
            )
            .await?;
            Ok(true)
        };
        let whose = Principal::Account { account };
        self.run("account.choose_reminders", &whose, choose).await
    }

    /// Queues the reminders that are due, outside quiet hours. Answers how many.
    ///
    /// # Errors
    /// Any [`StoreError`]; what was queued before stays queued.
    pub async fn remind(&self) -> Result<u64, StoreError> {
        let mut queued = 0;
        for notice in Notice::ALL {
            let mut place = None;
            loop {
                let page = |tx: Tx| async move { page(&tx, notice, place).await };
                let (more, next) = self.run("reminders.queue", &housekeeping(), page).await?;
                queued += more;
                match next {
                    Some(next) => place = Some(next),
                    None => break,
                }
            }
        }
        Ok(queued)
    }
}

/// One page: how many were queued, and where the next one begins, if there may be one.
async fn page(
    tx: &Tx,
    notice: Notice,
    after: Option<Place>,
) -> Result<(u64, Option<Place>), StoreError> {
    let now: DateTime<Utc> = tx.query_one("SELECT app_now()", &[]).await?.try_get(0)?;
    let window = notice.window(now);
    let (start, id) = after.unwrap_or((window.start, Uuid::nil()));
    let params: super::Params<'_> = &[&start, &window.end, &id, &notice.days(), &PAGE];
    let rows = tx.query(DUE, params).await?;
    let mut queued = 0;
    for row in &rows {
        queued += u64::from(queue(tx, row, notice, now).await?);
    }
    let full = rows.len() as i64 == PAGE;
    let last = rows.last().filter(|_| full);
    Ok((
        queued,
        last.map(|row| (row.get("starts_at"), row.get("id"))),
    ))
}

async fn queue(tx: &Tx, row: &Row, notice: Notice, now: DateTime<Utc>) -> Result<bool, StoreError> {
    if !notice.is_for(row.try_get("starts_at")?, row.try_get("known_since")?) {
        return Ok(false);
    }
    let trust = row.try_get("trust_id")?;
    if mails::quiet_until(tx, vec![trust], now).await?.is_some() {
        return Ok(false);
    }
    let (id, change): (Uuid, i32) = (row.try_get("id")?, row.try_get("change")?);
    let contact: &str = row.try_get("contact")?;
    let is_text = row.try_get::<_, &str>("channel")? == Channel::Text.name();
    let (email, mobile) = (Email::parse(contact), Mobile::parse(contact));
    let to = match (is_text, &email, &mobile) {
        (false, Ok(email), _) => To::Email(email),
        (true, _, Ok(mobile)) => To::Text(mobile),
        _ => return Ok(false), // The page says that there is no contact to use.
    };
    let mail = NewMail {
        id: mails::effect_id(id, &format!("reminder/{change}/{}", notice.days())),
        kind: MailKind::Reminder {
            account: row.try_get::<_, Uuid>("account_id")?.into(),
            appointment: AppointmentId::from(id),
            change,
            notice,
        },
        to,
        due_at: now,
    };
    mails::queue(tx, &mail).await
}
