//! What a patient chooses about how they are reached. Written with history and audit; no deadline is touched.
//!
//! Only by the account that holds the membership. The work itself is the server's, since it touches cases of any trust.

use letterbox_domain::choice::{Print, Way};
use letterbox_domain::event::Event;
use letterbox_domain::id::{AccountId, PatientId};
use letterbox_domain::ladder::Rung;
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts::{self, Act};
use super::case_commit::promise_changed;
use super::ladder::{LadderStore, housekeeping};
use super::{StoreError, Tx, events, locks};

/// Everything that is chosen on the page of contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Email.
    pub email: Way,
    /// Texts.
    pub text: Way,
    /// Nothing may be posted: somebody else opens the post.
    pub post_is_unsafe: bool,
}

const OWN: &str = "
    SELECT m.patient_id, m.email_choice, m.text_choice, p.post_unsafe_since IS NOT NULL AS post_is_unsafe
    FROM memberships m JOIN patients p ON p.id = m.patient_id WHERE m.account_id = $1 AND m.left_at IS NULL";

const CHOOSE: &str =
    "UPDATE memberships SET email_choice = $2, text_choice = $3 WHERE patient_id = $1";

const POST: &str = "
    UPDATE patients SET post_unsafe_since = CASE WHEN $2 THEN coalesce(post_unsafe_since, app_now()) END WHERE id = $1";

const PRINT: &str = "
    UPDATE memberships SET format_choice = $2 WHERE account_id = $1 AND left_at IS NULL RETURNING patient_id";

const OPEN_CASES: &str =
    "SELECT id FROM cases WHERE patient_id = $1 AND ended_at IS NULL ORDER BY id";

const PROMISE: &str = "UPDATE cases SET promised_at = $2 WHERE id = $1 AND ended_at IS NULL";

impl LadderStore {
    /// Writes what was chosen; answers the events to ring, or `None` for an account without a mailbox.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn choose_ways(
        &self,
        account: AccountId,
        ways: Ways,
    ) -> Result<Option<Vec<Event>>, StoreError> {
        let choose = |tx: Tx| async move {
            let Some(row) = tx.query_opt(OWN, &[&account.as_uuid()]).await? else {
                return Ok::<_, StoreError>(None);
            };
            let patient: Uuid = row.try_get("patient_id")?;
            locks::patients(&tx, &[patient]).await?;
            let post_was_unsafe: bool = row.try_get("post_is_unsafe")?;
            tx.execute(CHOOSE, &[&patient, &ways.email.name(), &ways.text.name()])
                .await?;
            tx.execute(POST, &[&patient, &ways.post_is_unsafe]).await?;
            let facts = json!({
                "email": ways.email.name(), "text": ways.text.name(), "post_is_unsafe": ways.post_is_unsafe,
            });
            record(&tx, account, patient, "account.ways_chosen", facts).await?;
            if post_was_unsafe == ways.post_is_unsafe {
                return Ok(Some(Vec::new()));
            }
            self.promise_anew(&tx, patient).await.map(Some)
        };
        self.web
            .run("account.choose_ways", &housekeeping(), choose)
            .await
    }

    /// What is not certain any more is promised no longer, and what is certain again is promised again.
    async fn promise_anew(&self, tx: &Tx, patient: Uuid) -> Result<Vec<Event>, StoreError> {
        let rows = tx.query(OPEN_CASES, &[&patient]).await?;
        let ids = rows
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<Vec<Uuid>, _>>()?;
        let mut heard = Vec::new();
        for case in locks::cases(tx, &ids).await? {
            let policy = self.policy(tx, case.policy_key()).await?;
            let posts = case
                .plan
                .steps
                .iter()
                .any(|step| step.rung == Rung::Deadline);
            let cut_off = policy
                .cut_offs
                .next_after(case.plan.deadline.max(case.now), &self.calendars);
            let promised = Some(cut_off).filter(|_| posts && case.contacts.address);
            if promised.is_some() != case.plan.post_at.is_some() {
                tx.execute(PROMISE, &[&case.id, &promised]).await?;
                heard.push(promise_changed(&case, promised));
            }
        }
        events::append(tx, &heard).await
    }

    /// How paper for this person is to be printed; `false` for an account without a mailbox.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn choose_print(
        &self,
        account: AccountId,
        print: Option<Print>,
    ) -> Result<bool, StoreError> {
        let name = print.map(Print::name);
        let choose = |tx: Tx| async move {
            let Some(row) = tx.query_opt(PRINT, &[&account.as_uuid(), &name]).await? else {
                return Ok::<_, StoreError>(false);
            };
            let patient = row.try_get(0)?;
            record(
                &tx,
                account,
                patient,
                "account.print_chosen",
                json!({"print": name}),
            )
            .await?;
            Ok(true)
        };
        self.web
            .run("account.choose_print", &housekeeping(), choose)
            .await
    }
}

/// See [`acts`].
pub(super) async fn record(
    tx: &Tx,
    account: AccountId,
    patient: Uuid,
    kind: &'static str,
    facts: Value,
) -> Result<(), StoreError> {
    let act = Act {
        account,
        patient: Some(PatientId::from(patient)),
        object_kind: "account",
        object: account.as_uuid(),
        kind,
        facts,
    };
    acts::note(tx, act).await
}
