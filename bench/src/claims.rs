//! Overdue cases: how fast they are claimed, and how fast they are claimed, decided and committed with their message,
//! each against a bare loop of the same rows with `FOR UPDATE SKIP LOCKED`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::TimeDelta;
use letterbox::config::Settings;
use letterbox::store::Store;
use letterbox::store::ladder::{LadderStore, NoticeFacts, NoticeFile, NoticePdf, Sender};
use letterbox_actors::ports::{CaseStore, NodeId};
use letterbox_domain::id::TrustId;
use letterbox_domain::ladder::decide;
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::rounds::Rounds;
use crate::server::Ground;
use crate::{Arguments, intake};

/// Connections at work on either side.
const CLIENTS: usize = 4;
/// Cases of one claim.
const BATCH: u16 = 100;

/// A claim that does not say what it claimed is none, so the bare one answers the rows as well; nothing is joined.
const BARE_CLAIM: &str = "
    WITH due AS (SELECT id FROM cases WHERE trust_id = $1 AND ended_at IS NULL AND due_at <= now()
                     AND (lease_until IS NULL OR lease_until < now())
                 ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED)
    UPDATE cases c SET fence = fence + 1, lease_until = now() + interval '60 seconds', lease_node = $1
    FROM due WHERE c.id = due.id RETURNING c.*";

/// The same facts as ours leaves behind, in one statement and one transaction: it has no lease, for nobody decides
/// between claim and commit. Ours needs two transactions, and its claims join what a decision looks at.
const BARE_STEP: &str = "
    WITH due AS (SELECT id FROM cases WHERE trust_id = $1 AND ended_at IS NULL AND due_at <= now()
                 ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED),
    moved AS (UPDATE cases c SET fence = fence + 1, climbed = climbed + 1, due_at = now() + interval '1 day'
              FROM due WHERE c.id = due.id RETURNING c.*),
    f AS (SELECT *, 'node:' || $1::uuid::text AS actor, jsonb_build_object('rungs', '[\"email\"]'::jsonb,
              'skipped', '[]'::jsonb, 'climbed', climbed, 'next_due', due_at, 'promised_at', promised_at) AS facts FROM moved),
    told AS (INSERT INTO history (trust_id, patient_id, subject_kind, subject_id, kind, at, actor, policy_version, facts, sha256)
             SELECT trust_id, patient_id, 'case', id, 'case.climbed', now(), actor, policy_version, facts,
                 history_sha256(trust_id, patient_id, 'case', id, 'case.climbed', now(), actor, policy_version, facts) FROM f),
    queued AS (INSERT INTO dispatches (id, case_id, trust_id, patient_id, channel, state, due_at)
               SELECT gen_random_uuid(), id, trust_id, patient_id, 'email', 'queued', now() FROM moved)
    SELECT id FROM moved";

struct NoNotice;

impl NoticePdf for NoNotice {
    fn make(&self, _: &NoticeFacts) -> Result<NoticeFile, String> {
        Err("nothing is printed here".to_owned())
    }
}

pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Value> {
    let ground = Ground::prepare(arguments, arguments.patients).await?;
    let trust = fill(&ground).await?;
    let settings = Settings::with(&[("mode", "bench"), ("database.url", &ground.app_url)])?;
    let store = Store::connect(&settings.database, settings.mode).await?;
    let sender = Sender {
        service: "My Health and Wellbeing".to_owned(),
        portal: None,
    };
    let ladder = Arc::new(LadderStore::new(&store, sender, Arc::new(NoNotice)));
    let owner = connect(&ground).await?;
    let (mut claims, mut steps) = (Rounds::default(), Rounds::default());
    for _ in 0..arguments.rounds {
        rewind(&owner).await?;
        claims.bare.push(bare(&ground, trust, BARE_CLAIM).await?);
        rewind(&owner).await?;
        claims.ours.push(ours(&ladder, trust, false).await?);
        rewind(&owner).await?;
        steps.bare.push(bare(&ground, trust, BARE_STEP).await?);
        rewind(&owner).await?;
        steps.ours.push(ours(&ladder, trust, true).await?);
    }
    Ok(json!({
        "cases": arguments.patients * 2,
        "claimed": claims.report("cases/s", 0.50),
        "claimed_decided_and_committed_with_a_message": steps.report("cases/s", 0.50),
    }))
}

/// Two letters for everybody, published through a server; their cases are then overdue by hand.
async fn fill(ground: &Ground) -> anyhow::Result<Uuid> {
    let server = ground.serve().await?;
    let document = intake::upload(ground, &server, &intake::page(0)).await?;
    for _ in 0..2 {
        for patients in ground.patients.chunks(100) {
            let forms = patients
                .iter()
                .map(|patient| intake::form(patient, &document))
                .collect();
            intake::send(ground, &server, forms).await?;
        }
    }
    drop(server);
    let owner = connect(ground).await?;
    Ok(owner
        .query_one("SELECT trust_id FROM letters LIMIT 1", &[])
        .await?
        .get(0))
}

async fn connect(ground: &Ground) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(&ground.owner_url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Everything overdue again, and nothing sent.
async fn rewind(owner: &Client) -> anyhow::Result<()> {
    owner
        .batch_execute(
            "TRUNCATE attempts, dispatches CASCADE;
             UPDATE cases SET due_at = now() - interval '1 hour', lease_until = NULL, climbed = 0,
                 step_ats = ARRAY[now() - interval '1 hour', now() + interval '1 day', now() + interval '2 days']
                            || step_ats[4:]",
        )
        .await?;
    // Not in the same statement list: VACUUM wants no transaction around it.
    owner.batch_execute("VACUUM ANALYZE cases").await?;
    Ok(())
}

async fn bare(ground: &Ground, trust: Uuid, sql: &'static str) -> anyhow::Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    let start = Instant::now();
    for _ in 0..CLIENTS {
        let (client, done) = (connect(ground).await?, Arc::clone(&done));
        workers.push(tokio::spawn(async move {
            let statement = client.prepare(sql).await?;
            loop {
                let taken = client.query(&statement, &[&trust]).await?;
                done.fetch_add(taken.len() as u64, Ordering::Relaxed);
                if taken.is_empty() {
                    return anyhow::Ok(());
                }
            }
        }));
    }
    for worker in workers {
        worker.await??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}

async fn ours(ladder: &Arc<LadderStore>, trust: Uuid, whole: bool) -> anyhow::Result<f64> {
    let done = Arc::new(AtomicU64::new(0));
    let mut workers = Vec::new();
    let start = Instant::now();
    for _ in 0..CLIENTS {
        let (ladder, done) = (Arc::clone(ladder), Arc::clone(&done));
        workers.push(tokio::spawn(async move {
            let node = NodeId::random();
            loop {
                let claimed = ladder
                    .claim_overdue(node, TrustId::from(trust), BATCH, TimeDelta::seconds(60))
                    .await?;
                let count = claimed.cases.len() as u64;
                if count == 0 {
                    return anyhow::Ok(());
                }
                if whole {
                    let now = claimed.now;
                    let decided = claimed.cases.into_iter().map(|case| {
                        let decision = decide(&case.view, now);
                        (case, decision)
                    });
                    ladder.commit(node, decided.collect()).await?;
                }
                done.fetch_add(count, Ordering::Relaxed);
            }
        }));
    }
    for worker in workers {
        worker.await??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}
