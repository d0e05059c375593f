//! PostgreSQL dies, is stopped, cuts everybody off, or has no connection left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::Mutex;
use uuid::Uuid;

use crate::rig::browser::Browser;
use crate::rig::socket::{Heard, Page, Positions};
use crate::rig::world::{Contacts, Wanted};
use crate::rig::{comes, seconds, until};
use crate::stage::{SHORT_LEASES, Stage, one_nudge};

/// Case 6.
#[tokio::test]
async fn case_6_when_every_connection_is_cut_open_pages_stay_and_publishing_goes_on() {
    let stage = Stage::set(&Wanted::patients(1), &[]).await;
    let mut page = open_page(&stage).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for round in 0..3 {
        let source_id = format!("letter-{round}");
        stage
            .world
            .superuser()
            .await
            .query(cut, &[])
            .await
            .expect("a superuser may");
        let began = Instant::now();
        let letter = stage
            .until_published(&stage.node, &source_id, 0)
            .await
            .letter_id();
        // The goal is two seconds; the bound is ten times that.
        assert!(
            began.elapsed() < seconds(20),
            "back after {:?}",
            began.elapsed()
        );
        hears_of(&mut page, letter).await;
    }
}

/// Case 7.
#[tokio::test]
async fn case_7_a_killed_postmaster_costs_a_pause_and_no_letter() {
    let stage = Stage::set_on_own_postgres(&Wanted::patients(20), "", &[]).await;
    let stage = Arc::new(stage);
    let publishing = Publishing::begin(&stage, 4);
    until("letters come in", seconds(60), async || {
        publishing.count().await > 50
    })
    .await;
    stage.world.postgres().kill().await;
    until(
        "the server says that it cannot serve",
        seconds(60),
        async || stage.node.answers("/health/ready").await == Some(503),
    )
    .await;
    assert_eq!(
        stage.node.answers("/health/live").await,
        Some(200),
        "it is alive, and waits"
    );
    let answer = stage
        .hospital
        .ask(&stage.node, "letter-1")
        .await
        .expect("an answer");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(
        answer.retry_after.is_some(),
        "it says when to come back: {answer:?}"
    );
    stage.world.postgres().start().await;
    stage.node.until_ready().await;
    let known = publishing.count().await;
    until("letters come in again", seconds(60), async || {
        publishing.count().await > known + 50
    })
    .await;
    publishing.end_and_find_everything(&stage).await;
}

/// Case 8.
#[tokio::test]
async fn case_8_an_immediate_stop_under_load_loses_no_acknowledged_letter() {
    let stage = Arc::new(Stage::set_on_own_postgres(&Wanted::patients(20), "", &[]).await);
    let publishing = Publishing::begin(&stage, 16);
    for _ in 0..3 {
        let known = publishing.count().await;
        until("letters come in", seconds(60), async || {
            publishing.count().await > known + 100
        })
        .await;
        stage.world.postgres().stop_immediately().await;
        stage.world.postgres().start().await;
    }
    publishing.end_and_find_everything(&stage).await;
}

/// Case 16: nobody gets a new connection, and the pages' own are stuck; the deadlines have theirs.
#[tokio::test]
async fn case_16_when_no_connection_is_left_deadlines_go_on_and_pages_are_turned_away_politely() {
    let settings = [SHORT_LEASES, &[("database.web_connections", "3")]].concat();
    let wanted = Wanted::patients(2)
        .contacts(Contacts::First(1))
        .policy(one_nudge());
    let stage = Stage::set_on_own_postgres(&wanted, "max_connections = 30", &settings).await;
    let spare = stage.world.superuser().await;
    stage.publish("letter-1").await;
    let hogs = everything_that_is_left(&stage).await;
    assert!(!hogs.is_empty(), "the connections are used up");
    // What refused letters are kept in: this request needs it, no deadline does.
    let lock = "BEGIN; LOCK TABLE quarantine IN ACCESS EXCLUSIVE MODE";
    spare.batch_execute(lock).await.expect("it obeys");
    let requests = (0..20).map(|_| stage.hospital.get(&stage.node, "/api/v1/quarantine"));
    let began = Instant::now();
    let answers = futures_util::future::join_all(requests).await;
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    assert!(!answers.is_empty(), "those who find no connection are told");
    for answer in answers {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(
            answer.retry_after.is_some(),
            "it says when to come back: {answer:?}"
        );
    }
    assert!(
        began.elapsed() < seconds(60),
        "turned away, not kept waiting"
    );
    stage.until_outside("mail_accepted", 1).await;
    spare.batch_execute("ROLLBACK").await.expect("it obeys");
    drop(hogs);
    until("requests are served again", seconds(60), async || {
        let answer = stage.hospital.ask(&stage.node, "letter-1").await;
        answer.is_ok_and(|answer| answer.status == 200)
    })
    .await;
}

/// Opens idle connections until PostgreSQL has no more.
async fn everything_that_is_left(stage: &Stage) -> Vec<tokio_postgres::Client> {
    let url = stage.world.database_url();
    let mut hogs = Vec::new();
    while let Ok((client, connection)) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await
    {
        tokio::spawn(async move { drop(connection.await) });
        hogs.push(client);
    }
    hogs
}

async fn open_page(stage: &Stage) -> Page {
    let browser = Browser::of(stage.world.patient(0));
    Page::open(&browser, &stage.node, &Positions::new())
        .await
        .expect("a socket")
}

async fn hears_of(page: &mut Page, letter: Uuid) {
    match page.hear(seconds(30)).await {
        Heard::Event { item, .. } => assert_eq!(item, letter),
        other => panic!("the page should have stayed open and heard of {letter}, but: {other:?}"),
    }
}

/// Hospital systems that publish and send again until they are told, as fast as they are answered.
struct Publishing {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<(String, Uuid)>>>,
    systems: Vec<tokio::task::JoinHandle<()>>,
}

impl Publishing {
    fn begin(stage: &Arc<Stage>, systems: usize) -> Self {
        let (stop, acknowledged) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let systems = (0..systems).map(|system| {
            let (stage, stop, acknowledged) = (
                Arc::clone(stage),
                Arc::clone(&stop),
                Arc::clone(&acknowledged),
            );
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let source_id = format!("{system}-{number}");
                    let answer = stage
                        .until_published(&stage.node, &source_id, system % 20)
                        .await;
                    acknowledged
                        .lock()
                        .await
                        .push((source_id, answer.letter_id()));
                }
            })
        });
        Self {
            systems: systems.collect(),
            stop,
            acknowledged,
        }
    }

    async fn count(&self) -> usize {
        self.acknowledged.lock().await.len()
    }

    /// Every acknowledged letter is there under the id that was answered, and was published once.
    async fn end_and_find_everything(self, stage: &Stage) {
        self.stop.store(true, Ordering::Relaxed);
        for system in self.systems {
            system.await.expect("a hospital's system does not break");
        }
        let acknowledged = self.acknowledged.lock().await;
        let db = stage.world.superuser().await;
        let (ids, letters): (Vec<&str>, Vec<Uuid>) = acknowledged
            .iter()
            .map(|(id, letter)| (id.as_str(), *letter))
            .unzip();
        let found = "SELECT count(*) FROM unnest($1::text[], $2::uuid[]) AS a(source_id, id) JOIN letters USING (source_id, id)";
        let found: i64 = db
            .query_one(found, &[&ids, &letters])
            .await
            .expect("it is readable")
            .get(0);
        assert_eq!(
            usize::try_from(found).ok(),
            Some(acknowledged.len()),
            "acknowledged and present"
        );
        let births = "SELECT count(*) FROM letters l WHERE 1 <> (SELECT count(*) FROM cases c WHERE c.letter_id = l.id)
                      OR 1 <> (SELECT count(*) FROM events e WHERE e.letter_id = l.id)";
        assert!(
            comes(seconds(5), async || stage.world.count(births).await == 0).await,
            "no half letter"
        );
    }
}
