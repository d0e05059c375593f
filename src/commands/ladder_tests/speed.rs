//! Claims and climbs against a bare loop of claims on the same table, in the same run, on the same machine.

use std::time::Instant;

use letterbox_actors::ports::{CaseStore, NodeId};

use super::world::World;

/// Enough for several batches; the long run is the benchmark's.
const CASES: i32 = 20_000;
const BATCH: u16 = 1_000;

/// The bar is half of the bare loop; here a tenth, because tests share their machine with others. Each loop runs on
/// a database of its own, so that none finds the other's dead rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_keep_up_with_a_bare_loop() {
    let bare = bare_loop(&hospital_with_overdue_cases().await).await;
    let claims = claim_loop(&hospital_with_overdue_cases().await, false).await;
    let climbs = claim_loop(&hospital_with_overdue_cases().await, true).await;
    println!(
        "cases/s: bare claims {bare:.0}; ours {claims:.0} ({:.2}); claimed, decided and climbed {climbs:.0} ({:.2})",
        claims / bare,
        climbs / bare
    );
    assert!(claims > bare / 10.0, "{claims:.0} of {bare:.0} claims/s");
}

async fn hospital_with_overdue_cases() -> World {
    let world = World::new().await;
    let gwyn = world.member("Gwyn").await;
    let letter = world.publish(gwyn.patient).await;
    copies(&world, letter.case.as_uuid()).await;
    world
}

/// Claims as many as there are; with `climbing` each batch is decided and committed, which queues an email a case.
async fn claim_loop(world: &World, climbing: bool) -> f64 {
    let started = Instant::now();
    let mut claimed = 0;
    // Not until nothing is due: the text's turn may come before the last email's.
    while claimed <= usize::try_from(CASES).expect("fits") {
        let cases = world.claim_on(&world.ladder, NodeId::random(), BATCH).await;
        claimed += cases.len();
        if climbing {
            let report = world
                .ladder
                .commit(world.node, cases)
                .await
                .expect("commits");
            assert_eq!(report.lost_lease + report.ended, 0);
        }
    }
    rate(claimed, started)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rate(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

/// The same case many times over, each with a letter of its own.
async fn copies(world: &World, case: uuid::Uuid) {
    world
        .run(
            "WITH n AS (SELECT gen_random_uuid() AS letter, gen_random_uuid() AS id FROM generate_series(1, $2)),
             l AS (
                INSERT INTO letters (id, trust_id, source_id, form_sha256, patient_id, document_id, kind, title, specialty,
                                     clinic, contact_phone, authored_at, published_at, state, route, route_reason)
                SELECT n.letter, l.trust_id, n.letter::text, '', l.patient_id, l.document_id, l.kind, l.title, l.specialty,
                       l.clinic, l.contact_phone, l.authored_at, l.published_at, l.state, l.route, l.route_reason
                FROM n, letters l RETURNING id)
             INSERT INTO cases (id, trust_id, patient_id, letter_id, policy_version, urgent, step_rungs, step_ats,
                                deadline_at, promised_at, due_at)
             SELECT n.id, c.trust_id, c.patient_id, n.letter, 1, false, c.step_rungs, c.step_ats, c.deadline_at,
                    c.promised_at, app_now() - interval '1 second'
             FROM n, cases c WHERE c.id = $1",
            &[&case, &CASES],
        )
        .await;
    world
        .run(
            "UPDATE cases SET due_at = app_now() - interval '1 second'",
            &[],
        )
        .await;
    world.run("VACUUM FULL ANALYZE cases, letters", &[]).await;
}

async fn bare_loop(world: &World) -> f64 {
    let claim = world
        .sql
        .prepare(
            "UPDATE cases SET lease_until = now() + interval '1 hour' WHERE id IN (
                SELECT id FROM cases WHERE ended_at IS NULL AND due_at <= now()
                  AND (lease_until IS NULL OR lease_until <= now())
                ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             RETURNING id",
        )
        .await
        .expect("prepares");
    let started = Instant::now();
    let mut claimed = 0;
    loop {
        let rows = world
            .sql
            .query(&claim, &[&i64::from(BATCH)])
            .await
            .expect("claims");
        if rows.is_empty() {
            return rate(claimed, started);
        }
        claimed += rows.len();
    }
}
