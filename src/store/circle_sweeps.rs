//! What the circle of care needs from time to time: emails for carers who want them, the yearly question about reading
//! for a patient, and forgetting what invitations and mails held. All are idempotent.

use chrono::{DateTime, Utc};
use letterbox_domain::id::{AccountId, GrantId};
use letterbox_domain::invitation::{READING_ANSWER_WITHIN, READING_HOLDS_FOR};
use letterbox_domain::person::Email;
use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Seen};
use super::ladder::housekeeping;
use super::mails::{self, MailKind, NewMail, To};
use super::{Store, StoreError, Tx, grants, history};

/// Rows taken in one go; what is left follows with the next run.
const AT_ONCE: i64 = 200;

/// A carer hears at most once an hour of the same person: the mail says that there is something, not what or how much,
/// so a second one would say nothing.
const TOLD: &str = "
    SELECT g.id, g.carer_account_id, g.told_seq, p.head_seq, a.email, app_now() AS now, EXISTS (
        SELECT FROM events e
        LEFT JOIN letters l ON l.id = e.letter_id LEFT JOIN appointments t ON t.id = e.appointment_id
        WHERE e.patient_id = g.patient_id AND e.seq > g.told_seq AND e.seq <= p.head_seq
          AND e.kind IN ('letter.published', 'appointment.published', 'appointment.moved', 'appointment.cancelled')
          AND e.share = ANY (g.ticks) AND NOT e.restricted AND NOT coalesce(l.restricted, t.restricted, true)
          AND coalesce(l.hidden_at, t.hidden_at) IS NULL) AS news
    FROM grants g JOIN patients p ON p.id = g.patient_id JOIN accounts a ON a.id = g.carer_account_id
    WHERE g.tell_carer AND g.revoked_at IS NULL AND p.head_seq > g.told_seq
      AND (g.told_at IS NULL OR g.told_at <= app_now() - interval '1 hour')
      AND a.closed_at IS NULL AND a.email_verified_at IS NOT NULL
      -- One that waits for the end of quiet hours says it already.
      AND NOT EXISTS (SELECT FROM account_mails q WHERE q.grant_id = g.id AND q.kind = 'something_new'
                      AND q.state IN ('queued', 'sending'))
    ORDER BY g.id LIMIT $1 FOR UPDATE OF g SKIP LOCKED";

const CONSIDERED: &str = "
    UPDATE grants SET told_seq = $2, told_at = CASE WHEN $3 THEN app_now() ELSE told_at END WHERE id = $1";

const TO_ASK: &str = "
    SELECT g.id, a.id AS account, a.email, a.email_verified_at IS NOT NULL AS verified, app_now() AS now
    FROM grants g
    LEFT JOIN memberships m ON m.patient_id = g.patient_id AND m.left_at IS NULL
    LEFT JOIN accounts a ON a.id = m.account_id AND a.closed_at IS NULL
    WHERE g.may_read_for_me AND g.revoked_at IS NULL AND g.reading_asked_at IS NULL
      AND g.reading_since <= app_now() - make_interval(secs => $1)
    ORDER BY g.id LIMIT $2 FOR UPDATE OF g SKIP LOCKED";

const ASKED: &str = "UPDATE grants SET reading_asked_at = app_now() WHERE id = $1";

const UNANSWERED: &str = "
    SELECT g.id, g.patient_id FROM grants g
    WHERE g.may_read_for_me AND g.revoked_at IS NULL AND g.reading_asked_at <= app_now() - make_interval(secs => $1)
    ORDER BY g.patient_id, g.id LIMIT $2";

const LAPSE: &str = "
    UPDATE grants SET may_read_for_me = false, reading_since = NULL, version = $3
    WHERE id = $1 AND may_read_for_me AND revoked_at IS NULL
      AND reading_asked_at <= app_now() - make_interval(secs => $2)";

/// Who did not accept is nobody of ours: their address goes after a month; so do mails that were sent.
const FORGET: [&str; 2] = [
    "DELETE FROM invitations WHERE expires_at < app_now() - interval '37 days'
     AND coalesce(ended_at, expires_at) < app_now() - interval '30 days'",
    "DELETE FROM account_mails WHERE finished_at < app_now() - interval '30 days'",
];

impl Store {
    /// Queues emails for carers who want them and have something new to see. Answers how many.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn tell_carers(&self) -> Result<u64, StoreError> {
        self.run("grants.tell", &housekeeping(), tell).await
    }

    /// Asks patients whether carers may still read for them, and lets the tick lapse where nobody answered.
    /// The carer still sees what is shared. Answers how many grants that touched.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn review_reading(&self) -> Result<u64, StoreError> {
        let asked = self.run("grants.ask", &housekeeping(), ask).await?;
        let lapsed = self.run("grants.lapse", &housekeeping(), lapse).await?;
        Ok(asked + lapsed)
    }

    /// Forgets old invitations and mails. Answers how many.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn forget_invitations(&self) -> Result<u64, StoreError> {
        let forget = |tx: Tx| async move {
            let mut rows = 0;
            for sql in FORGET {
                rows += tx.execute(sql, &[]).await?;
            }
            Ok::<_, StoreError>(rows)
        };
        self.run("invitations.forget", &housekeeping(), forget)
            .await
    }
}

async fn tell(tx: Tx) -> Result<u64, StoreError> {
    let rows = tx.query(TOLD, &[&AT_ONCE]).await?;
    let mut queued = 0;
    for row in &rows {
        let (grant, head): (Uuid, i64) = (row.get("id"), row.get("head_seq"));
        let mut news: bool = row.get("news");
        match Email::parse(row.get("email")) {
            Ok(to) if news => {
                let kind = MailKind::SomethingNew {
                    account: AccountId::from(row.get::<_, Uuid>("carer_account_id")),
                    grant: GrantId::from(grant),
                    after: row.get("told_seq"),
                    up_to: head,
                };
                let mail = NewMail {
                    id: mails::effect_id(grant, &format!("something-new/{head}")),
                    kind,
                    to: To::Email(&to),
                    due_at: row.get("now"),
                };
                queued += u64::from(mails::queue(&tx, &mail).await?);
            }
            _ => news = false,
        }
        tx.execute(CONSIDERED, &[&grant, &head, &news]).await?;
    }
    Ok(queued)
}

async fn ask(tx: Tx) -> Result<u64, StoreError> {
    let holds = READING_HOLDS_FOR.as_seconds_f64();
    let rows = tx.query(TO_ASK, &[&holds, &AT_ONCE]).await?;
    for row in &rows {
        let grant: Uuid = row.get("id");
        tx.execute(ASKED, &[&grant]).await?;
        let now: DateTime<Utc> = row.get("now");
        let (account, email) = (row.get("account"), row.get::<_, Option<&str>>("email"));
        let verified: bool = row.get::<_, Option<bool>>("verified").unwrap_or_default();
        let to = email.filter(|_| verified).map(Email::parse);
        // Without an address the page asks alone.
        if let (Some(account), Some(Ok(to))) = (account, to) {
            let kind = MailKind::StillReading {
                account: Uuid::into(account),
                grant: grant.into(),
                until: now + READING_ANSWER_WITHIN,
            };
            let mail = NewMail {
                id: mails::effect_id(grant, &format!("still-reading/{}", now.timestamp())),
                kind,
                to: To::Email(&to),
                due_at: now,
            };
            mails::queue(&tx, &mail).await?;
        }
    }
    Ok(rows.len() as u64)
}

async fn lapse(tx: Tx) -> Result<u64, StoreError> {
    let within = READING_ANSWER_WITHIN.as_seconds_f64();
    let rows = tx.query(UNANSWERED, &[&within, &AT_ONCE]).await?;
    let mut lapsed = 0;
    // In the order of patients, like everybody who locks them.
    for row in &rows {
        let (grant, patient): (Uuid, Uuid) = (row.get(0), row.get(1));
        let version = grants::touch(&tx, patient.into()).await?.get();
        if tx.execute(LAPSE, &[&grant, &within, &version]).await? == 0 {
            continue;
        }
        lapsed += 1;
        let entry = history::Entry {
            trust: Uuid::nil(),
            patient: Some(patient),
            subject_kind: "grant",
            subject: grant,
            kind: "grant.reading_lapsed",
            policy_version: None,
            facts: json!({"version": version}),
        };
        history::append(&tx, &housekeeping(), &[entry]).await?;
        let seen = Seen {
            account: None,
            trust: None,
            patient: Some(patient.into()),
            action: "grant.reading_lapsed",
            object_kind: "grant",
            object: Some(grant),
            allowed: true,
            request: None,
        };
        audit::write(&tx, &seen).await?;
    }
    Ok(lapsed)
}
