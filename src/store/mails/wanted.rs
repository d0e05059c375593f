//! The last question before a mail or text to an account leaves: whether its cause still stands, and whether this is an
//! hour in which people may be disturbed. Sends nothing.

use chrono::{DateTime, Utc};
use letterbox_domain::id::TrustId;
use letterbox_domain::reminder::Notice;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::store::{StoreError, Tx, policies};

/// Whether its cause still stands. What a carer may not see (any more) does not make a mail.
const WANTED: &str = "
    SELECT CASE m.kind
        WHEN 'invitation' THEN EXISTS (
            SELECT FROM invitations i WHERE i.id = m.invitation_id AND i.outcome IS NULL AND i.expires_at > app_now())
        WHEN 'something_new' THEN EXISTS (
            SELECT FROM grants g JOIN events e ON e.patient_id = g.patient_id
            LEFT JOIN letters l ON l.id = e.letter_id LEFT JOIN appointments a ON a.id = e.appointment_id
            WHERE g.id = m.grant_id AND g.revoked_at IS NULL AND g.tell_carer
              AND e.seq > (m.params->>'after')::bigint AND e.seq <= (m.params->>'up_to')::bigint
              AND e.share = ANY (g.ticks) AND NOT coalesce(l.restricted, a.restricted, true)
              AND coalesce(l.hidden_at, a.hidden_at) IS NULL AND coalesce(l.state, 'published') <> 'held')
        WHEN 'still_reading' THEN EXISTS (
            SELECT FROM grants g WHERE g.id = m.grant_id AND g.revoked_at IS NULL AND g.may_read_for_me
              AND g.reading_asked_at IS NOT NULL)
        WHEN 'reminder' THEN EXISTS (
            SELECT FROM appointments v
            JOIN patients p ON p.id = v.patient_id AND p.deceased_at IS NULL
            JOIN memberships o ON o.patient_id = v.patient_id AND o.left_at IS NULL AND o.account_id = m.account_id
            JOIN accounts a ON a.id = o.account_id AND a.closed_at IS NULL
            WHERE v.id = m.appointment_id AND v.state = 'booked' AND v.starts_at > app_now()
              AND v.change = (m.params->>'change')::integer AND o.reminders = m.channel
              AND m.to_address = CASE m.channel WHEN 'email' THEN a.email ELSE a.mobile END
              AND CASE m.channel WHEN 'email' THEN a.email_verified_at ELSE a.mobile_verified_at END IS NOT NULL)
        ELSE true END
        AND NOT EXISTS (SELECT FROM accounts gone WHERE gone.id = m.account_id AND gone.closed_at IS NOT NULL)
        -- Nothing by a way of which its owner has said that somebody else might see it.
        AND NOT EXISTS (SELECT FROM memberships never WHERE never.account_id = m.account_id AND never.left_at IS NULL
                        AND CASE m.channel WHEN 'email' THEN never.email_choice ELSE never.text_choice END = 'never') AS wanted,
        -- Whose quiet hours count: what a person has just caused does not wait.
        CASE m.kind
            WHEN 'reminder' THEN ARRAY(SELECT v.trust_id FROM appointments v WHERE v.id = m.appointment_id)
            WHEN 'something_new' THEN ARRAY(
                SELECT DISTINCT s.trust_id FROM grants g JOIN patient_sources s ON s.patient_id = g.patient_id WHERE g.id = m.grant_id)
            WHEN 'still_reading' THEN ARRAY(
                SELECT DISTINCT s.trust_id FROM grants g JOIN patient_sources s ON s.patient_id = g.patient_id WHERE g.id = m.grant_id)
            ELSE '{}' END AS trusts,
        app_now() AS now, (SELECT v.starts_at FROM appointments v WHERE v.id = m.appointment_id) AS starts_at,
        (m.params->>'days')::integer AS days
    FROM account_mails m WHERE m.id = $1 AND m.attempt = $2 AND m.state = 'sending' FOR UPDATE OF m";

const LEAVING: &str = "UPDATE account_mails SET leaving_at = app_now() WHERE id = $1";

pub(super) const CANCEL: &str = "
    UPDATE account_mails SET state = 'cancelled', lease_until = NULL, lease_node = NULL, finished_at = app_now()
    WHERE id = $1";

/// Nothing has left: it is asked about again then.
const PUT_BACK: &str = "
    UPDATE account_mails SET state = 'queued', due_at = $2, lease_until = NULL, lease_node = NULL WHERE id = $1";

/// Whether this claim may send. What may not is called off or put back, in the same transaction.
pub(super) async fn judge(tx: &Tx, id: Uuid, attempt: i32) -> Result<bool, StoreError> {
    let Some(row) = tx.query_opt(WANTED, &[&id, &attempt]).await? else {
        return Ok(false);
    };
    let now = row.try_get("now")?;
    if !row.try_get::<_, bool>("wanted")? || is_late(&row, now)? {
        tx.execute(CANCEL, &[&id]).await?;
        return Ok(false);
    }
    if let Some(until) = quiet_until(tx, row.try_get("trusts")?, now).await? {
        tx.execute(PUT_BACK, &[&id, &until]).await?;
        return Ok(false);
    }
    tx.execute(LEAVING, &[&id]).await?;
    Ok(true)
}

/// A reminder whose time has passed: the later one is due, or the appointment has begun.
fn is_late(row: &Row, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let days: Option<i32> = row.try_get("days")?;
    let starts_at: Option<DateTime<Utc>> = row.try_get("starts_at")?;
    let notice = Notice::ALL
        .into_iter()
        .find(|notice| Some(notice.days()) == days);
    let about = notice.zip(starts_at);
    Ok(about.is_some_and(|(notice, starts_at)| !notice.window(now).contains(&starts_at)))
}

/// The end of the quiet at `now`, by the rules of these trusts: the latest, if they differ.
pub(in crate::store) async fn quiet_until(
    tx: &Tx,
    trusts: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let mut until = None;
    for trust in trusts {
        let policy = policies::current(tx, TrustId::from(trust)).await?;
        let hours = policy.nudge_hours.filter(|hours| !hours.allows(now));
        until = until.max(hours.map(|hours| hours.next_allowed(now)));
    }
    Ok(until)
}
