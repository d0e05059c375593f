//! The hospital in memory keeps the contract of the ports; PostgreSQL's run of the same stories is the server's.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use letterbox_actors::{
    ports::{CaseStore, DispatchStore, MailboxReader, PrintStore},
    testing::{Hospital, MovableClock, contract},
};
use letterbox_domain::{
    circle::{Ticks, Viewer},
    id::{CaseId, GrantId, GrantsVersion, LetterId, PatientId, TrustId},
    policy::Policy,
};

struct InMemory {
    hospital: Arc<Hospital>,
    clock: Arc<MovableClock>,
}

impl InMemory {
    fn new() -> Self {
        let clock = Arc::new(MovableClock::at(
            "2026-03-02T09:00:00Z".parse().expect("an instant"),
        ));
        let policy = Policy {
            nudge_hours: None,
            ..Policy::standard()
        };
        let hospital = Hospital::new(Arc::clone(&clock), policy);
        hospital.print_from("2026-03-12T17:30:00Z".parse().expect("an instant"));
        Self { hospital, clock }
    }
}

#[async_trait]
impl contract::Fixture for InMemory {
    async fn trust(&self) -> TrustId {
        self.hospital.trust()
    }
    async fn patient(&self) -> PatientId {
        self.hospital.patient()
    }
    async fn publish(&self, trust: TrustId, patient: PatientId) -> (LetterId, CaseId) {
        let published = self.hospital.publish(trust, patient);
        (published.letter, published.case)
    }
    async fn open(&self, letter: LetterId) {
        self.hospital.open(letter);
    }
    async fn share(&self, patient: PatientId) -> GrantId {
        match self.hospital.share(patient, Ticks::NONE) {
            Viewer::Carer(grant) => grant.id,
            Viewer::Patient { .. } => unreachable!("a share makes a carer"),
        }
    }
    async fn withdraw(&self, patient: PatientId, grant: GrantId) -> GrantsVersion {
        self.hospital.withdraw(patient, grant)
    }
    async fn pass(&self, by: TimeDelta) {
        self.clock.pass(by.to_std().expect("time passes forwards"));
    }
    fn mailboxes(&self) -> Arc<dyn MailboxReader> {
        Arc::clone(&self.hospital) as _
    }
    fn cases(&self) -> Arc<dyn CaseStore> {
        Arc::clone(&self.hospital) as _
    }
    fn dispatches(&self) -> Arc<dyn DispatchStore> {
        Arc::clone(&self.hospital) as _
    }
    fn prints(&self) -> Arc<dyn PrintStore> {
        Arc::clone(&self.hospital) as _
    }
}

macro_rules! stories {
    ($($story:ident)+) => {$(
        #[actix::test]
        async fn $story() {
            contract::$story(&InMemory::new()).await;
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
