//! Closing an account: unread letters go to the post first, then everything that hangs on the account ends, in one
//! transaction. What happened (history, audit, the hospitals' letters) is kept; what was the account's own is erased.

use std::collections::BTreeSet;

use letterbox_domain::choice::Leaving;
use letterbox_domain::event::Event;
use letterbox_domain::id::{AccountId, GrantId, GrantsVersion, PatientId, SessionId, TrustId};
use letterbox_domain::ladder::Subject;
use serde_json::json;
use uuid::Uuid;

use super::case_rows::CaseRow;
use super::choices::record;
use super::ladder::{LadderStore, housekeeping};
use super::{Principal, StoreError, Tx, history, locks, tasks};

/// What ended, for whoever must be told at once.
#[derive(Clone, Debug, Default)]
pub struct Closed {
    /// For browsers that still look.
    pub events: Vec<Event>,
    /// Trusts whose boards have changed.
    pub trusts: BTreeSet<TrustId>,
    /// Grants that ended: the patient's own, and those under which this person looked at others'.
    pub grants: Vec<(PatientId, GrantId, GrantsVersion)>,
    /// Sessions that ended, this one included.
    pub sessions: Vec<(AccountId, SessionId)>,
    /// Unread letters and appointments that go to the post.
    pub posted: i32,
}

const ACCOUNT: &str = "
    SELECT m.patient_id FROM accounts a LEFT JOIN memberships m ON m.account_id = a.id AND m.left_at IS NULL
    WHERE a.id = $1 AND a.closed_at IS NULL AND a.kind = 'person' FOR NO KEY UPDATE OF a";

/// Mailboxes whose circle changes: one's own, and those one was let into.
const CIRCLES: &str = "
    SELECT patient_id FROM grants WHERE revoked_at IS NULL AND (carer_account_id = $1 OR patient_id = $2)
    UNION SELECT $2::uuid WHERE $2 IS NOT NULL ORDER BY 1";

const RAISE: &str = "UPDATE patients SET grants_version = grants_version + 1 WHERE id = $1 RETURNING grants_version";

/// As everywhere, the instant after the commit is not known yet; a transaction's longest life stands in for it.
const END_GRANTS: &str = "
    UPDATE grants SET revoked_at = app_now(), revocation_committed_by = NULL, version = $3
    WHERE patient_id = $2 AND revoked_at IS NULL AND (carer_account_id = $1 OR $4) RETURNING id";

/// What is held until its release is posted when it is released: its case waits for that.
const UNREAD: &str = "
    SELECT c.id FROM cases c LEFT JOIN letters l ON l.id = c.letter_id
    WHERE c.patient_id = $1 AND c.ended_at IS NULL AND l.state IS DISTINCT FROM 'held' ORDER BY c.id";

const ROUTE: &str = "
    UPDATE letters SET route = 'we_post', route_reason = 'non_member'
    WHERE patient_id = $1 AND state IN ('held', 'published') AND route = 'portal' RETURNING id, trust_id";

const NO_MORE_NUDGES: &str = "
    UPDATE dispatches SET state = 'cancelled', code = 'account_closed', finished_at = app_now()
    WHERE patient_id = $1 AND state = 'queued' AND channel IN ('email', 'text')";

const END_INVITATIONS: &str = "
    UPDATE invitations SET ended_at = app_now(), outcome = 'cancelled' WHERE patient_id = $1 AND ended_at IS NULL";

/// What is on its way just now cannot be called back and keeps its address until its record is forgotten.
const NO_MORE_MAILS: &str = "
    UPDATE account_mails SET to_address = CASE WHEN gone THEN 'erased' ELSE to_address END,
        state = CASE WHEN here THEN 'cancelled' ELSE state END,
        code = CASE WHEN here THEN 'account_closed' ELSE code END,
        finished_at = CASE WHEN here THEN app_now() ELSE finished_at END
    FROM (SELECT m.id AS mail, m.state = 'queued' OR m.state = 'sending' AND m.leaving_at IS NULL AS here,
                 m.state <> 'sending' OR m.leaving_at IS NULL AS gone
          FROM account_mails m WHERE m.account_id = $1 FOR UPDATE) AS theirs
    WHERE id = theirs.mail";

const LEAVE: &str = "UPDATE memberships SET left_at = app_now() WHERE patient_id = $1";

const FORGET_CONTACTS: &str =
    "DELETE FROM bad_contacts WHERE patient_id = $1 AND channel IN ('email', 'text')";

/// What the patient wrote to the booking office, and what it wrote back. That something was asked, and what came of it,
/// stays; so does a request that waits, without its words.
const FORGET_WORDS: &str = "
    UPDATE change_requests SET note = NULL, message = NULL WHERE patient_id = $1 AND num_nonnulls(note, message) > 0";

/// Without it the next sign-in by the same proof is a newcomer's.
const FORGET_PROOF: &str = "DELETE FROM identities WHERE account_id = $1";

const END_SESSIONS: &str = "
    UPDATE sessions SET ended_at = app_now() WHERE account_id = $1 AND ended_at IS NULL RETURNING id";

const FORGET_TICKETS: &str = "DELETE FROM live_tickets WHERE account_id = $1";

const ERASE: &str = "
    UPDATE accounts SET closed_at = app_now(), display_name = 'Closed account', email = NULL, email_verified_at = NULL,
                        mobile = NULL, mobile_verified_at = NULL
    WHERE id = $1";

const NOTE: &str = "INSERT INTO account_closures (account_id, patient_id, reason, letters_posted) VALUES ($1, $2, $3, $4)";

impl LadderStore {
    /// Closes the account of a person; `None` when there is no such account, or it is closed already.
    ///
    /// # Errors
    /// Any [`StoreError`]; nothing has been closed then.
    pub async fn close_account(
        &self,
        account: AccountId,
        reason: Leaving,
    ) -> Result<Option<Closed>, StoreError> {
        // Others' circles change too, so the work is the server's; whose account it is, is asked first.
        let close = |tx: Tx| self.close(tx, account, reason);
        self.web.run("account.close", &housekeeping(), close).await
    }

    async fn close(
        &self,
        tx: Tx,
        account: AccountId,
        reason: Leaving,
    ) -> Result<Option<Closed>, StoreError> {
        let Some(row) = tx.query_opt(ACCOUNT, &[&account.as_uuid()]).await? else {
            return Ok(None);
        };
        let own: Option<Uuid> = row.try_get(0)?;
        let mut closed = Closed::default();
        let circles = ids(&tx.query(CIRCLES, &[&account.as_uuid(), &own]).await?)?;
        locks::patients(&tx, &circles).await?;
        if let Some(patient) = own {
            self.post_what_is_unread(&tx, account, patient, &mut closed)
                .await?;
        }
        for patient in circles {
            end_grants(&tx, account, patient, own == Some(patient), &mut closed).await?;
        }
        if let Some(patient) = own {
            tx.execute(END_INVITATIONS, &[&patient]).await?;
            tx.execute(LEAVE, &[&patient]).await?;
            tx.execute(FORGET_CONTACTS, &[&patient]).await?;
            tx.execute(FORGET_WORDS, &[&patient]).await?;
            let facts = json!({"reason": reason.name(), "posted": closed.posted});
            record(&tx, account, patient, "account.closed", facts).await?;
        }
        let note: super::Params<'_> = &[&account.as_uuid(), &own, &reason.name(), &closed.posted];
        tx.execute(NOTE, note).await?;
        for sql in [NO_MORE_MAILS, FORGET_PROOF, FORGET_TICKETS, ERASE] {
            tx.execute(sql, &[&account.as_uuid()]).await?;
        }
        let sessions = ids(&tx.query(END_SESSIONS, &[&account.as_uuid()]).await?)?;
        closed.sessions = sessions
            .into_iter()
            .map(|id| (account, SessionId::from(id)))
            .collect();
        Ok(Some(closed))
    }

    /// Every unread item gets its paper at the next cut-off, and its case ends when the print house has acknowledged it;
    /// where nothing may be posted, a person at the hospital takes over. No timer just vanishes.
    async fn post_what_is_unread(
        &self,
        tx: &Tx,
        account: AccountId,
        patient: Uuid,
        closed: &mut Closed,
    ) -> Result<(), StoreError> {
        tx.execute(NO_MORE_NUDGES, &[&patient]).await?;
        let moved = tx.query(ROUTE, &[&patient]).await?;
        let mut lines = Vec::with_capacity(moved.len());
        for row in &moved {
            lines.push(route_changed(
                row.try_get("trust_id")?,
                patient,
                row.try_get("id")?,
            ));
        }
        history::append(tx, &Principal::Account { account }, &lines).await?;
        let unread = ids(&tx.query(UNREAD, &[&patient]).await?)?;
        for case in locks::cases(tx, &unread).await? {
            closed.trusts.insert(case.trust.into());
            if case.state.is_open() && case.subject == Subject::Unread {
                self.post_now(tx, &case, closed).await?;
            }
        }
        Ok(())
    }

    async fn post_now(
        &self,
        tx: &Tx,
        case: &CaseRow,
        closed: &mut Closed,
    ) -> Result<(), StoreError> {
        if !case.contacts.address {
            let stand_in = self.stand_in(tx, case, tasks::Kind::NoAddress).await?;
            return tasks::insert(tx, &[stand_in]).await;
        }
        let policy = self.policy(tx, case.policy_key()).await?;
        if self.queue_paper(tx, case, &policy).await? {
            closed.posted += 1;
            closed
                .events
                .extend(self.promise_paper(tx, case, &policy, None).await?);
        }
        Ok(())
    }
}

async fn end_grants(
    tx: &Tx,
    account: AccountId,
    patient: Uuid,
    is_own: bool,
    closed: &mut Closed,
) -> Result<(), StoreError> {
    let version: i64 = tx.query_one(RAISE, &[&patient]).await?.try_get(0)?;
    let params: super::Params<'_> = &[&account.as_uuid(), &patient, &version, &is_own];
    let ended = ids(&tx.query(END_GRANTS, params).await?)?;
    let lines: Vec<history::Entry> = ended
        .iter()
        .map(|grant| history::Entry {
            trust: Uuid::nil(),
            patient: Some(patient),
            subject_kind: "grant",
            subject: *grant,
            kind: "grant.revoked",
            policy_version: None,
            facts: json!({"version": version, "by": "account_closed"}),
        })
        .collect();
    history::append(tx, &housekeeping(), &lines).await?;
    let version = GrantsVersion(version);
    let told = ended
        .into_iter()
        .map(|grant| (patient.into(), grant.into(), version));
    closed.grants.extend(told);
    Ok(())
}

/// The trust was told that the portal delivers; now it is told otherwise.
fn route_changed(trust: Uuid, patient: Uuid, letter: Uuid) -> history::Entry {
    history::Entry {
        trust,
        patient: Some(patient),
        subject_kind: "letter",
        subject: letter,
        kind: "letter.route_changed",
        policy_version: None,
        facts: json!({"route": "we_post", "reason": "non_member"}),
    }
}

fn ids(rows: &[tokio_postgres::Row]) -> Result<Vec<Uuid>, StoreError> {
    Ok(rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?)
}
