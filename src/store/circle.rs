//! Who may look at what: memberships, grants, staff roles. Read here; the rule is `identity::access`.

use letterbox_domain::circle::{Grant, Role, ShareKind, Ticks, Viewer};
use letterbox_domain::id::{AccountId, GrantsVersion, PatientId, TrustId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Principal, Store, StoreError, Tx};

/// A trust's ODS code: three to six capital letters and digits, kept in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ods([u8; 6]);

impl Ods {
    /// Cut at six characters; the schema lets no longer one in.
    #[must_use]
    pub fn new(code: &str) -> Self {
        let mut bytes = [0; 6];
        for (to, from) in bytes.iter_mut().zip(code.bytes()) {
            *to = from;
        }
        Self(bytes)
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(6);
        std::str::from_utf8(&self.0[..end]).unwrap_or("")
    }
}

impl std::fmt::Debug for Ods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something an account may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountBox {
    /// Its own mailbox.
    Own(PatientId),
    /// Somebody else's.
    Shared(Grant),
    /// A trust's board.
    Board(TrustId, Ods),
}

const MEMBERSHIP: &str =
    "SELECT patient_id FROM memberships WHERE account_id = $1 AND left_at IS NULL";

const GRANTS: &str = "
    SELECT id, patient_id, carer_account_id, ticks, may_read_for_me, version FROM grants
    WHERE carer_account_id = $1 AND revoked_at IS NULL ORDER BY created_at, id";

const BOARDS: &str = "
    SELECT DISTINCT t.id, t.ods_code FROM staff_roles r JOIN trusts t ON t.id = r.trust_id
    WHERE r.account_id = $1 ORDER BY t.ods_code";

impl Store {
    /// As whom the account looks into the patient's mailbox, if at all.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn viewer(
        &self,
        account: AccountId,
        patient: PatientId,
    ) -> Result<Option<Viewer>, StoreError> {
        let tx = self.begin(&Principal::Account { account }).await?;
        let viewer = viewer(&tx, account, patient).await?;
        tx.commit().await?;
        Ok(viewer)
    }

    /// Everything the account may look at: its own mailbox first, then those of others, then boards.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn boxes(&self, account: AccountId) -> Result<Vec<AccountBox>, StoreError> {
        let tx = self.begin(&Principal::Account { account }).await?;
        let boxes = boxes(&tx, account).await?;
        tx.commit().await?;
        Ok(boxes)
    }

    /// The account's most far-reaching role at the trust.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn staff_role(
        &self,
        account: AccountId,
        trust: TrustId,
    ) -> Result<Option<Role>, StoreError> {
        let sql = "SELECT role FROM staff_roles WHERE account_id = $1 AND trust_id = $2";
        let tx = self.begin(&Principal::Account { account }).await?;
        let rows = tx
            .query(sql, &[&account.as_uuid(), &trust.as_uuid()])
            .await?;
        tx.commit().await?;
        // In the order of the roles, information governance reaches furthest.
        Ok(rows
            .iter()
            .filter_map(|row| Role::from_name(row.get(0)))
            .filter(|role| role.is_trust_staff())
            .max())
    }
}

/// [`Store::viewer`] inside a transaction, so that a check and what it allows see the same instant.
///
/// # Errors
/// Any [`StoreError`].
pub async fn viewer(
    tx: &Tx,
    account: AccountId,
    patient: PatientId,
) -> Result<Option<Viewer>, StoreError> {
    let own =
        "SELECT FROM memberships WHERE account_id = $1 AND patient_id = $2 AND left_at IS NULL";
    let ids: (Uuid, Uuid) = (account.into(), patient.into());
    if tx.query_opt(own, &[&ids.0, &ids.1]).await?.is_some() {
        return Ok(Some(Viewer::Patient { account }));
    }
    let granted = "
        SELECT id, patient_id, carer_account_id, ticks, may_read_for_me, version FROM grants
        WHERE carer_account_id = $1 AND patient_id = $2 AND revoked_at IS NULL";
    let grant = tx.query_opt(granted, &[&ids.0, &ids.1]).await?;
    Ok(grant.map(|row| Viewer::Carer(grant_of(&row))))
}

pub(super) async fn boxes(tx: &Tx, account: AccountId) -> Result<Vec<AccountBox>, StoreError> {
    let id = account.as_uuid();
    let own = tx.query(MEMBERSHIP, &[&id]).await?;
    let grants = tx.query(GRANTS, &[&id]).await?;
    let boards = tx.query(BOARDS, &[&id]).await?;
    let own = own
        .iter()
        .map(|row| AccountBox::Own(row.get::<_, Uuid>(0).into()));
    let grants = grants.iter().map(|row| AccountBox::Shared(grant_of(row)));
    let boards = boards.iter().map(|row| {
        let trust = row.get::<_, Uuid>("id").into();
        AccountBox::Board(trust, Ods::new(row.get("ods_code")))
    });
    Ok(own.chain(grants).chain(boards).collect())
}

/// A tick box that this version does not know is not ticked.
fn grant_of(row: &Row) -> Grant {
    let ticks: Vec<&str> = row.get("ticks");
    let known: Vec<ShareKind> = ticks.into_iter().filter_map(ShareKind::from_name).collect();
    Grant {
        id: row.get::<_, Uuid>("id").into(),
        patient: row.get::<_, Uuid>("patient_id").into(),
        carer: row.get::<_, Uuid>("carer_account_id").into(),
        ticks: Ticks::of(&known),
        may_read_for_me: row.get("may_read_for_me"),
        version: GrantsVersion(row.get("version")),
    }
}
