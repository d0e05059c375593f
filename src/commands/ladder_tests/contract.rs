//! The contract of the ports, on PostgreSQL: the same stories that the hospital in memory must tell.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use letterbox_actors::ports::{CaseStore, DispatchStore, MailboxReader, PrintStore};
use letterbox_actors::testing::contract::{self, Fixture};
use letterbox_domain::circle::{ShareKind, Ticks};
use letterbox_domain::event::{EventKind, ItemRef};
use letterbox_domain::id::{
    AccountId, CaseId, GrantId, GrantsVersion, LetterId, PatientId, TrustId,
};
use letterbox_domain::policy::Policy;

use super::world::World;
use crate::store::events::{self, NewEvent};
use crate::store::grants::NewGrant;
use crate::store::{Principal, openings};

struct Postgres(World);

impl Postgres {
    async fn new() -> Self {
        let policy = Policy {
            nudge_hours: None,
            ..Policy::standard()
        };
        Self(World::with(policy).await)
    }

    async fn account_of(&self, patient: PatientId) -> AccountId {
        let sql = "SELECT account_id FROM memberships WHERE patient_id = $1";
        self.0
            .one::<uuid::Uuid>(sql, &[&patient.as_uuid()])
            .await
            .into()
    }
}

#[async_trait]
impl Fixture for Postgres {
    async fn trust(&self) -> TrustId {
        self.0.trust
    }

    async fn patient(&self) -> PatientId {
        self.0.member("Somebody").await.patient
    }

    async fn publish(&self, _trust: TrustId, patient: PatientId) -> (LetterId, CaseId) {
        let published = self.0.publish(patient).await;
        let tx = self
            .0
            .db
            .store()
            .begin(&Principal::SERVER)
            .await
            .expect("begins");
        let event = NewEvent {
            patient,
            kind: EventKind::LetterPublished,
            item: ItemRef::Letter(published.letter),
            share: ShareKind::ClinicLetters,
            restricted: false,
            due: None,
        };
        events::append(&tx, &[event]).await.expect("tells");
        tx.commit().await.expect("commits");
        (published.letter, published.case)
    }

    async fn open(&self, letter: LetterId) {
        let sql = "SELECT patient_id FROM letters WHERE id = $1";
        let patient = self
            .0
            .one::<uuid::Uuid>(sql, &[&letter.as_uuid()])
            .await
            .into();
        let account = self.account_of(patient).await;
        let tx = self
            .0
            .db
            .store()
            .begin(&Principal::Account { account })
            .await
            .expect("begins");
        openings::open_letter(&tx, account, letter)
            .await
            .expect("opens");
        tx.commit().await.expect("commits");
    }

    async fn share(&self, patient: PatientId) -> GrantId {
        let carer = self.0.member("Carer").await.account;
        let ticks = Ticks::of(&[ShareKind::ClinicLetters]);
        let new = NewGrant {
            carer,
            relationship: "friend".into(),
            ticks,
            may_read_for_me: false,
        };
        let account = self.account_of(patient).await;
        self.0
            .db
            .store()
            .share(account, &new)
            .await
            .expect("shares")
            .expect("has a mailbox")
            .id
    }

    async fn withdraw(&self, patient: PatientId, grant: GrantId) -> GrantsVersion {
        let account = self.account_of(patient).await;
        self.0
            .db
            .store()
            .revoke(account, grant)
            .await
            .expect("withdraws")
            .expect("was theirs");
        let sql = "SELECT grants_version FROM patients WHERE id = $1";
        GrantsVersion(self.0.one(sql, &[&patient.as_uuid()]).await)
    }

    async fn pass(&self, by: TimeDelta) {
        self.0.pass(by).await;
    }

    fn mailboxes(&self) -> Arc<dyn MailboxReader> {
        Arc::new(self.0.db.store().clone())
    }

    fn cases(&self) -> Arc<dyn CaseStore> {
        Arc::new(self.0.ladder.clone())
    }

    fn dispatches(&self) -> Arc<dyn DispatchStore> {
        Arc::new(self.0.ladder.clone())
    }

    fn prints(&self) -> Arc<dyn PrintStore> {
        Arc::new(self.0.ladder.clone())
    }
}

macro_rules! stories {
    ($($story:ident)+) => {$(
        #[tokio::test]
        async fn $story() {
            contract::$story(&Postgres::new().await).await;
        }
    )+};
}

stories! {
    mailboxes_are_dense_and_agree
    the_circle_has_a_rising_version
    a_case_is_claimed_by_one_node_at_a_time
    a_stale_commit_changes_nothing
    opening_between_claim_and_commit_wins
    a_dispatch_is_fenced_by_its_attempt
    later_and_unknown_come_back_differently
    an_opened_letter_is_not_sent
    a_print_batch_is_closed_once
}
