//! Singles written together, a full queue, and a connection that dies at the worst moment.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::commands::intake_lane::{IntakeLane, LaneError};
use crate::commands::publish_letters::PublishResult;
use crate::commands::{Bells, Wake};
use crate::testing::{Hospital, TestDb};

/// Counts commits and remembers what they brought.
#[derive(Default)]
struct Heard {
    commits: AtomicUsize,
    events: Mutex<usize>,
}

impl Bells for Heard {
    fn ring(&self, wake: Wake) {
        self.commits.fetch_add(1, Ordering::SeqCst);
        *self.events.lock().expect("not poisoned") += wake.events.len();
    }
}

#[tokio::test]
async fn singles_that_arrive_together_share_commits_and_each_gets_its_own_answer() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let heard = Arc::new(Heard::default());
    let bells: Arc<dyn Bells> = heard.clone();
    let lane = IntakeLane::new(db.store().clone(), bells, 200);
    let sent = (0..120).map(|n| {
        let (lane, system) = (lane.clone(), hospital.system);
        let letter = hospital.letter(&asha, &format!("L-{}", n % 100));
        tokio::spawn(async move { lane.publish(system, letter).await })
    });
    let (mut new, mut repeated) = (0, 0);
    for answer in sent.collect::<Vec<_>>() {
        match answer.await.expect("no panic").expect("taken in") {
            PublishResult::Published(_) => new += 1,
            PublishResult::Repeated(_) => repeated += 1,
            PublishResult::Refused(refusal) => panic!("{refusal}"),
        }
    }
    assert_eq!((new, repeated), (100, 20));
    assert_eq!(*heard.events.lock().expect("not poisoned"), 100);
    assert!(
        heard.commits.load(Ordering::SeqCst) < 60,
        "{:?} commits for 120 letters",
        heard.commits
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_full_queue_says_so_at_once_and_works_again_when_it_has_drained() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.member(1).await;
    let lane = IntakeLane::new(db.store().clone(), Arc::new(Heard::default()), 2);
    // Somebody holds the patient's row: the first letter is being written, two wait, the fourth finds no room.
    let holder = db.superuser().await;
    holder
        .batch_execute("BEGIN; SELECT FROM patients FOR UPDATE")
        .await
        .expect("held");
    let send = |n: usize| {
        let (lane, system, letter) = (
            lane.clone(),
            hospital.system,
            hospital.letter(&asha, &format!("L-{n}")),
        );
        tokio::spawn(async move { lane.publish(system, letter).await })
    };
    let mut sent = vec![send(0)];
    let blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    tokio::time::timeout(Duration::from_secs(10), async {
        while hospital.count(blocked).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the first one waits for the row");
    sent.extend([send(1), send(2)]);
    let full = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            tokio::task::yield_now().await;
            if let Ok(Err(LaneError::Full)) = send(3).await {
                return;
            }
        }
    });
    let full = tokio::select! { full = full => full, () = async { for one in &mut sent { drop(one.await); } } => panic!("nobody may pass") };
    full.expect("the queue is full");
    holder.batch_execute("COMMIT").await.expect("let go");
    for one in sent {
        assert!(matches!(
            one.await.expect("no panic"),
            Ok(PublishResult::Published(_))
        ));
    }
    assert!(matches!(
        send(4).await.expect("no panic"),
        Ok(PublishResult::Published(_))
    ));
}
