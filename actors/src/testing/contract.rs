//! The contract of the ports, as tests that run on any store: this hospital, and PostgreSQL.
//!
//! Each function is one story; it panics where the store breaks its promise. A [`Fixture`] makes the facts.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use letterbox_domain::{
    dispatch::{Channel, Outcome},
    id::{CaseId, GrantId, GrantsVersion, LetterId, PatientId, Seq, TrustId},
    ladder::decide,
};

use crate::ports::{
    Ack, CaseStore, ClaimedCase, ClaimedDispatch, DispatchStore, MailboxReader, NodeId, PrintStore,
    Verdict,
};

/// Makes facts in a store under test. Its time stands still but for [`Fixture::pass`].
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A trust with the standard policy but no quiet hours, so that nudges leave when they are due.
    async fn trust(&self) -> TrustId;
    /// A member with verified email and mobile, and a complete address.
    async fn patient(&self) -> PatientId;
    /// A clinic letter without an appointment.
    async fn publish(&self, trust: TrustId, patient: PatientId) -> (LetterId, CaseId);
    async fn open(&self, letter: LetterId);
    async fn share(&self, patient: PatientId) -> GrantId;
    async fn withdraw(&self, patient: PatientId, grant: GrantId) -> GrantsVersion;
    /// Moves the store's time on.
    async fn pass(&self, by: TimeDelta);
    fn mailboxes(&self) -> Arc<dyn MailboxReader>;
    fn cases(&self) -> Arc<dyn CaseStore>;
    fn dispatches(&self) -> Arc<dyn DispatchStore>;
    fn prints(&self) -> Arc<dyn PrintStore>;
}

const LEASE: TimeDelta = TimeDelta::seconds(60);
const WEEK: TimeDelta = TimeDelta::days(7);

/// Snapshots, events and heads agree; events are dense; an unknown patient is nobody.
pub async fn mailboxes_are_dense_and_agree(fixture: &impl Fixture) {
    let (trust, patient) = (fixture.trust().await, fixture.patient().await);
    let reader = fixture.mailboxes();
    let empty = reader
        .snapshot(patient)
        .await
        .expect("the store answers")
        .expect("the patient exists");
    assert_eq!((empty.head, empty.items.len()), (Seq::START, 0));
    for _ in 0..5 {
        fixture.publish(trust, patient).await;
    }
    let full = reader
        .snapshot(patient)
        .await
        .expect("the store answers")
        .expect("the patient exists");
    assert_eq!((full.head, full.items.len()), (Seq(5), 5));
    let page = reader
        .since(patient, Seq(1), 3)
        .await
        .expect("the store answers");
    assert_eq!(
        page.iter().map(|event| event.seq).collect::<Vec<_>>(),
        [Seq(2), Seq(3), Seq(4)]
    );
    assert_eq!(
        reader
            .since(patient, Seq(5), 3)
            .await
            .expect("the store answers"),
        []
    );
    let nobody = PatientId::random();
    let node = NodeId::random();
    let heads = reader
        .heads(node, &[patient, nobody])
        .await
        .expect("the store answers");
    assert_eq!(
        heads
            .heads
            .iter()
            .map(|head| (head.patient, head.seq))
            .collect::<Vec<_>>(),
        [(patient, Seq(5))]
    );
    reader
        .polled(node, heads.began)
        .await
        .expect("the store answers");
    assert!(
        reader
            .snapshot(nobody)
            .await
            .expect("the store answers")
            .is_none()
    );
}

/// Giving and withdrawing a grant raise the version that heads show, and the circle follows.
pub async fn the_circle_has_a_rising_version(fixture: &impl Fixture) {
    let patient = fixture.patient().await;
    let reader = fixture.mailboxes();
    let grant = fixture.share(patient).await;
    let shared = reader
        .snapshot(patient)
        .await
        .expect("the store answers")
        .expect("the patient exists");
    assert_eq!(
        shared
            .grants
            .iter()
            .map(|grant| grant.id)
            .collect::<Vec<_>>(),
        [grant]
    );
    let version = fixture.withdraw(patient, grant).await;
    assert!(version > shared.grants_version);
    let heads = reader
        .heads(NodeId::random(), &[patient])
        .await
        .expect("the store answers");
    assert_eq!(
        heads.heads.first().map(|head| head.grants_version),
        Some(version)
    );
    let after = reader
        .snapshot(patient)
        .await
        .expect("the store answers")
        .expect("the patient exists");
    assert_eq!((after.grants.len(), after.grants_version), (0, version));
}

/// Nothing is claimed before it is due, and a claimed case is nobody else's until its lease ends.
pub async fn a_case_is_claimed_by_one_node_at_a_time(fixture: &impl Fixture) {
    let (trust, patient) = (fixture.trust().await, fixture.patient().await);
    let (_, case) = fixture.publish(trust, patient).await;
    let cases = fixture.cases();
    assert!(claim(fixture, trust).await.is_empty(), "nothing is due yet");
    let due = cases
        .next_due(trust)
        .await
        .expect("the store answers")
        .expect("a case is open");
    assert!(due > TimeDelta::zero());
    fixture.pass(due + TimeDelta::seconds(1)).await;
    let first = claim(fixture, trust).await;
    assert_eq!(
        first.iter().map(|claimed| claimed.case).collect::<Vec<_>>(),
        [case]
    );
    assert!(
        claim(fixture, trust).await.is_empty(),
        "it is under a lease"
    );
    let rest = cases
        .next_due(trust)
        .await
        .expect("the store answers")
        .expect("a case is open");
    assert!(
        rest > TimeDelta::zero(),
        "a leased case counts from the end of its lease"
    );
    fixture.pass(LEASE + TimeDelta::seconds(1)).await;
    let second = claim(fixture, trust).await;
    assert!(
        second[0].fence > first[0].fence,
        "every claim raises the fence"
    );
}

/// A commit under an old fence changes nothing; the commit under the new one does, and the case has a next step.
pub async fn a_stale_commit_changes_nothing(fixture: &impl Fixture) {
    let (trust, patient) = (fixture.trust().await, fixture.patient().await);
    fixture.publish(trust, patient).await;
    fixture.pass(WEEK).await;
    let stale = claim(fixture, trust).await;
    fixture.pass(LEASE + TimeDelta::seconds(1)).await;
    let fresh = claim(fixture, trust).await;
    let (done, lost, _) = commit(fixture, trust, stale).await;
    assert_eq!((done, lost), (0, 1));
    let (done, lost, dispatched) = commit(fixture, trust, fresh).await;
    assert_eq!((done, lost), (1, 0));
    assert!(
        dispatched.contains(&Channel::Post),
        "the deadline was long past"
    );
    let next = fixture
        .cases()
        .next_due(trust)
        .await
        .expect("the store answers");
    assert!(
        next.is_some_and(|next| next > TimeDelta::zero()),
        "an open case has a next step"
    );
}

/// Opening between claim and commit wins: nothing is sent after it.
pub async fn opening_between_claim_and_commit_wins(fixture: &impl Fixture) {
    let (trust, patient) = (fixture.trust().await, fixture.patient().await);
    let (letter, _) = fixture.publish(trust, patient).await;
    fixture.pass(WEEK).await;
    let claimed = claim(fixture, trust).await;
    fixture.open(letter).await;
    let report = fixture
        .cases()
        .commit(NodeId::random(), decided(fixture, claimed).await)
        .await;
    let report = report.expect("the store answers");
    assert_eq!(
        (report.done, report.ended, report.dispatched.len()),
        (0, 1, 0)
    );
    assert_eq!(
        fixture
            .cases()
            .next_due(trust)
            .await
            .expect("the store answers"),
        None,
        "no case is open"
    );
}

/// A message is claimed once, its record is fenced by its attempt, and a lapsed one that may have left is asked about.
pub async fn a_dispatch_is_fenced_by_its_attempt(fixture: &impl Fixture) {
    let first = with_an_email_due(fixture).await;
    let store = fixture.dispatches();
    assert!(!first.unknown_before);
    assert!(
        claim_emails(fixture).await.is_empty(),
        "it is under a lease"
    );
    assert!(store.still_wanted(&first).await.expect("the store answers"));
    fixture.pass(LEASE + TimeDelta::seconds(1)).await;
    let second = claim_emails(fixture).await.remove(0);
    assert!(second.unknown_before, "the first attempt may have left");
    assert_eq!((second.id, second.attempt), (first.id, first.attempt + 1));
    assert_eq!(
        second.outgoing.key, first.outgoing.key,
        "the effect's key never changes"
    );
    assert!(
        !store.still_wanted(&first).await.expect("the store answers"),
        "the first attempt is fenced"
    );
    let accepted = Outcome::Accepted {
        reference: "R1".to_owned(),
    };
    assert!(
        !store
            .record(&first, accepted.clone())
            .await
            .expect("the store answers")
    );
    assert!(
        store
            .record(&second, accepted)
            .await
            .expect("the store answers")
    );
    fixture.pass(LEASE * 2).await;
    assert!(
        claim_emails(fixture).await.is_empty(),
        "an accepted message is done"
    );
}

/// "Later" comes back after its time and was never unknown; "unknown" comes back to be looked up.
pub async fn later_and_unknown_come_back_differently(fixture: &impl Fixture) {
    let first = with_an_email_due(fixture).await;
    let store = fixture.dispatches();
    let later = Outcome::Later {
        after: std::time::Duration::from_secs(90),
    };
    assert!(
        store
            .record(&first, later)
            .await
            .expect("the store answers")
    );
    assert!(
        claim_emails(fixture).await.is_empty(),
        "not before its time"
    );
    fixture.pass(TimeDelta::seconds(91)).await;
    let second = claim_emails(fixture).await.remove(0);
    assert!(
        !second.unknown_before,
        "the provider said that it does not have it"
    );
    assert!(
        store
            .still_wanted(&second)
            .await
            .expect("the store answers")
    );
    assert!(
        store
            .record(&second, Outcome::Unknown)
            .await
            .expect("the store answers")
    );
    fixture.pass(TimeDelta::hours(2)).await;
    assert!(claim_emails(fixture).await.remove(0).unknown_before);
}

/// What the patient has opened is not sent, however late the opening comes.
pub async fn an_opened_letter_is_not_sent(fixture: &impl Fixture) {
    let (trust, patient) = (fixture.trust().await, fixture.patient().await);
    let (letter, _) = fixture.publish(trust, patient).await;
    let claimed = climb_to_email(fixture, trust).await;
    fixture.open(letter).await;
    assert!(
        !fixture
            .dispatches()
            .still_wanted(&claimed)
            .await
            .expect("the store answers")
    );
    fixture.pass(LEASE * 2).await;
    assert!(claim_emails(fixture).await.is_empty());
}

/// A batch is frozen once, written until it stands, acknowledged once; posting ends the case.
pub async fn a_print_batch_is_closed_once(fixture: &impl Fixture) {
    let (trust, node) = (fixture.trust().await, NodeId::random());
    let (read, unread) = (fixture.patient().await, fixture.patient().await);
    let (opened, _) = fixture.publish(trust, read).await;
    let (posted, _) = fixture.publish(trust, unread).await;
    fixture.pass(WEEK).await;
    let claimed = claim(fixture, trust).await;
    commit(fixture, trust, claimed).await;
    fixture.open(opened).await;
    let prints = fixture.prints();
    let cut_off = prints
        .next_cut_off()
        .await
        .expect("the store answers")
        .expect("this trust prints");
    fixture
        .pass(cut_off.max(TimeDelta::zero()) + TimeDelta::seconds(1))
        .await;
    assert_eq!(
        prints
            .close_due_batches(node)
            .await
            .expect("the store answers"),
        1
    );
    assert_eq!(
        prints
            .close_due_batches(node)
            .await
            .expect("the store answers"),
        0,
        "a cut-off closes once"
    );
    let batch = prints
        .unfinished(node, 10)
        .await
        .expect("the store answers")
        .remove(0);
    let items: Vec<_> = batch.items.iter().map(|item| item.subject).collect();
    assert_eq!(items, [posted.as_uuid()], "what was opened is not printed");
    fixture.pass(TimeDelta::hours(1)).await;
    let again = prints
        .unfinished(node, 10)
        .await
        .expect("the store answers")
        .remove(0);
    assert_eq!(
        (&again.name, again.items.len()),
        (&batch.name, 1),
        "until it stands, it comes back unchanged"
    );
    prints.written(batch.id).await.expect("the store answers");
    let ack = Ack {
        batch_name: batch.name,
        item: posted.as_uuid(),
        verdict: Verdict::Posted,
    };
    let events = prints
        .acknowledge(vec![ack.clone()])
        .await
        .expect("the store answers");
    assert_eq!(events.len(), 1);
    assert_eq!(
        prints
            .acknowledge(vec![ack])
            .await
            .expect("the store answers"),
        [],
        "a repeat changes nothing"
    );
    assert_eq!(
        fixture
            .cases()
            .next_due(trust)
            .await
            .expect("the store answers"),
        None,
        "both cases have ended"
    );
}

async fn claim(fixture: &impl Fixture, trust: TrustId) -> Vec<ClaimedCase> {
    let claimed = fixture
        .cases()
        .claim_overdue(NodeId::random(), trust, 10, LEASE)
        .await;
    claimed.expect("the store answers").cases
}

async fn decided(
    fixture: &impl Fixture,
    claimed: Vec<ClaimedCase>,
) -> Vec<(ClaimedCase, letterbox_domain::ladder::Decision)> {
    let began = fixture
        .mailboxes()
        .heads(NodeId::random(), &[])
        .await
        .expect("the store answers")
        .began;
    let decide = |case: ClaimedCase| {
        let decision = decide(&case.view, began);
        (case, decision)
    };
    claimed.into_iter().map(decide).collect()
}

async fn commit(
    fixture: &impl Fixture,
    _trust: TrustId,
    claimed: Vec<ClaimedCase>,
) -> (usize, usize, std::collections::BTreeSet<Channel>) {
    let decided = decided(fixture, claimed).await;
    let report = fixture
        .cases()
        .commit(NodeId::random(), decided)
        .await
        .expect("the store answers");
    (report.done, report.lost_lease, report.dispatched)
}

async fn claim_emails(fixture: &impl Fixture) -> Vec<ClaimedDispatch> {
    let claimed = fixture
        .dispatches()
        .claim(NodeId::random(), Channel::Email, 10, LEASE)
        .await;
    claimed.expect("the store answers")
}

async fn with_an_email_due(fixture: &impl Fixture) -> ClaimedDispatch {
    let (trust, patient) = (fixture.trust().await, fixture.patient().await);
    fixture.publish(trust, patient).await;
    climb_to_email(fixture, trust).await
}

async fn climb_to_email(fixture: &impl Fixture, trust: TrustId) -> ClaimedDispatch {
    let due = fixture
        .cases()
        .next_due(trust)
        .await
        .expect("the store answers")
        .expect("a case is open");
    fixture.pass(due + TimeDelta::seconds(1)).await;
    let claimed = claim(fixture, trust).await;
    let (done, _, dispatched) = commit(fixture, trust, claimed).await;
    assert_eq!(done, 1);
    assert!(
        dispatched.contains(&Channel::Email),
        "the email is the first step"
    );
    claim_emails(fixture).await.remove(0)
}
