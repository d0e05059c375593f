//! The same rows that publishing a letter writes, written bare: one statement, no checks, no rules, no HTTP.
//! As many rows with as much in them, history's facts and their hash included; only what they say is made up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::server::Ground;

/// Letter, case, event, history and outbox row, and the patient's head, for every element of the arrays.
const PUBLISH: &str = "
    WITH n AS (SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[])
                   AS n (patient_id, letter_id, case_id, event_id, source_id)),
    head AS (UPDATE patients p SET head_seq = head_seq + 1 FROM n WHERE p.id = n.patient_id
             RETURNING p.id, p.head_seq),
    l AS (INSERT INTO letters (id, trust_id, source_id, form_sha256, patient_id, document_id, kind, title, specialty,
             clinic, contact_phone, authored_at, published_at, state, route, route_reason)
          SELECT letter_id, $1, source_id, sha256(source_id::bytea), patient_id, $2, 'clinic', 'Clinic letter',
             'General medicine', 'General clinic', '01432 000000', now(), now(), 'published', 'portal', 'member' FROM n),
    c AS (INSERT INTO cases (id, trust_id, patient_id, letter_id, policy_version, step_rungs, step_ats, deadline_at,
             promised_at, due_at)
          SELECT case_id, $1, patient_id, letter_id, 1, ARRAY[1, 2, 3, 5]::smallint[],
             ARRAY[now(), now(), now(), now()], now() + interval '3 days', now() + interval '3 days',
             now() + interval '1 day' FROM n),
    e AS (INSERT INTO events (patient_id, seq, id, kind, letter_id, share, restricted, due_at)
          SELECT n.patient_id, head.head_seq, event_id, 'letter.published', letter_id, 'clinic_letters', false,
             now() + interval '3 days' FROM n JOIN head ON head.id = n.patient_id),
    f AS (SELECT *, 'trust:' || $1::uuid::text AS actor, jsonb_build_object('case', case_id, 'route', 'portal',
              'reason', 'member', 'deadline_at', now(), 'promised_at', now()) AS facts FROM n),
    h AS (INSERT INTO history (trust_id, patient_id, subject_kind, subject_id, kind, at, actor, policy_version, facts, sha256)
          SELECT $1, patient_id, 'letter', letter_id, 'letter.published', now(), actor, 1, facts,
             history_sha256($1, patient_id, 'letter', letter_id, 'letter.published', now(), actor, 1, facts) FROM f)
    INSERT INTO outbox (patient_id, seq) SELECT id, head_seq FROM head";

/// Letters per second that `clients` connections write in statements of `batch`.
pub(crate) async fn publish(
    ground: &Ground,
    clients: usize,
    batch: usize,
    stretch: Duration,
) -> anyhow::Result<f64> {
    let written = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..clients {
        let (client, connection) = tokio_postgres::connect(&ground.owner_url, NoTls).await?;
        tokio::spawn(connection);
        // Each writer has patients of its own, as locks would otherwise decide the rate.
        let patients: Vec<Uuid> = ground
            .patients
            .iter()
            .skip(number)
            .step_by(clients)
            .map(|one| one.mailbox)
            .collect();
        writers.push(tokio::spawn(write(
            client,
            patients,
            batch,
            Arc::clone(&written),
            Arc::clone(&stop),
        )));
    }
    let start = Instant::now();
    tokio::time::sleep(stretch).await;
    stop.store(true, Ordering::Relaxed);
    let rate = written.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    for writer in writers {
        writer.await??;
    }
    Ok(rate)
}

async fn write(
    client: Client,
    patients: Vec<Uuid>,
    batch: usize,
    written: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let statement = client.prepare(PUBLISH).await?;
    let (trust, document) = trust_and_document(&client).await?;
    let mut chunks = patients.chunks(batch).cycle();
    while !stop.load(Ordering::Relaxed) {
        let Some(chunk) = chunks.next() else { break };
        let fresh = || -> Vec<Uuid> { chunk.iter().map(|_| Uuid::now_v7()).collect() };
        let (letters, cases, events) = (fresh(), fresh(), fresh());
        let sources: Vec<String> = letters.iter().map(|id| id.simple().to_string()).collect();
        client
            .execute(
                &statement,
                &[
                    &trust, &document, &chunk, &letters, &cases, &events, &sources,
                ],
            )
            .await?;
        written.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn trust_and_document(client: &Client) -> anyhow::Result<(Uuid, Uuid)> {
    let row = client
        .query_one(
            "SELECT trust_id, id FROM documents ORDER BY id LIMIT 1",
            &[],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}
