//! Letters per second through the API, against the same rows written bare with the same batching.
//! The document has been inspected before; reading PDF files is measured beside it, in files per second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::rounds::{Rounds, median};
use crate::server::{Ground, Server};
use crate::{Arguments, bare};

/// Connections of the baseline; more gain nothing on two cores.
const CLIENTS: usize = 16;
/// Requests under way, as several trusts' systems would keep them.
const IN_FLIGHT: usize = 64;

pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Value> {
    let ground = Arc::new(Ground::prepare(arguments, arguments.patients).await?);
    let server = Arc::new(ground.serve().await?);
    let document = upload(&ground, &server, &page(0)).await?;
    let (mut single, mut batches, mut files) = (Rounds::default(), Rounds::default(), Vec::new());
    for round in 0..arguments.rounds {
        let stretch = arguments.stretch();
        single
            .bare
            .push(bare::publish(&ground, CLIENTS, 1, stretch).await?);
        single
            .ours
            .push(publish(&ground, &server, &document, 1, IN_FLIGHT, stretch).await?);
        batches
            .bare
            .push(bare::publish(&ground, 4, 100, stretch).await?);
        batches
            .ours
            .push(publish(&ground, &server, &document, 100, 4, stretch).await?);
        files.push(inspect(&ground, &server, round, stretch).await?);
    }
    Ok(json!({
        "single": single.report("letters/s", 0.40),
        "batch_of_100": batches.report("letters/s", 0.60),
        "new_documents_inspected_and_stored_per_second": median(&files).round(),
    }))
}

async fn publish(
    ground: &Arc<Ground>,
    server: &Arc<Server>,
    document: &str,
    batch: usize,
    in_flight: usize,
    stretch: Duration,
) -> anyhow::Result<f64> {
    let (done, stop) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let mut senders = Vec::new();
    for number in 0..in_flight {
        let (ground, server, document) =
            (Arc::clone(ground), Arc::clone(server), document.to_owned());
        let (done, stop) = (Arc::clone(&done), Arc::clone(&stop));
        senders.push(tokio::spawn(async move {
            let mut patients = ground.patients.iter().cycle().skip(number * 97);
            while !stop.load(Ordering::Relaxed) {
                let forms: Vec<Value> = patients
                    .by_ref()
                    .take(batch)
                    .map(|one| form(one, &document))
                    .collect();
                send(&ground, &server, forms).await?;
                done.fetch_add(batch as u64, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }));
    }
    let start = Instant::now();
    tokio::time::sleep(stretch).await;
    stop.store(true, Ordering::Relaxed);
    let rate = done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    for sender in senders {
        sender.await??;
    }
    Ok(rate)
}

/// Publishes singly or as one batch; anything but success ends the benchmark.
pub(crate) async fn send(
    ground: &Ground,
    server: &Server,
    mut forms: Vec<Value>,
) -> anyhow::Result<()> {
    let (path, body) = match (forms.len(), forms.pop()) {
        (1, Some(form)) => ("/api/v1/letters", form),
        (_, last) => (
            "/api/v1/letters/batch",
            json!({ "letters": forms.into_iter().chain(last).collect::<Vec<_>>() }),
        ),
    };
    let sent = server
        .client
        .post(format!("{}{path}", server.base))
        .bearer_auth(&ground.api_key)
        .json(&body);
    let answer = sent.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(
        status.is_success() && !text.contains("\"problem\""),
        "{status}: {text}"
    );
    Ok(())
}

pub(crate) fn form(patient: &crate::server::Patient, document: &str) -> Value {
    json!({
        "source_id": Uuid::now_v7().simple().to_string(), "patient": patient.patient, "nhs_number": patient.nhs_number,
        "kind": "clinic", "title": "Clinic letter", "specialty": "General medicine", "clinic": "General clinic",
        "contact": { "phone": "01432 000000" }, "authored_at": "2026-01-05T09:00:00Z", "signed": true,
        "document": { "sha256": document },
    })
}

async fn inspect(
    ground: &Ground,
    server: &Server,
    round: usize,
    stretch: Duration,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut files = 0;
    while start.elapsed() < stretch / 2 {
        upload(ground, server, &page(1 + round * 1_000_000 + files)).await?;
        files += 1;
    }
    Ok(files as f64 / start.elapsed().as_secs_f64())
}

pub(crate) async fn upload(ground: &Ground, server: &Server, pdf: &str) -> anyhow::Result<String> {
    let sent = server
        .client
        .post(format!("{}/api/v1/documents", server.base))
        .bearer_auth(&ground.api_key);
    let answer = sent
        .header("Content-Type", "application/pdf")
        .body(pdf.to_owned())
        .send()
        .await?;
    let answer: Value = answer.json().await?;
    answer["document"]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("the document was refused: {answer}"))
}

/// A one-page PDF; each number gives another file.
pub(crate) fn page(number: usize) -> String {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Number {number} >>"),
    ];
    let mut pdf = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let start = pdf.len();
    pdf.push_str("xref\n0 4\n0000000000 65535 f \n");
    for offset in offsets {
        pdf.push_str(&format!("{offset:010} 00000 n \n"));
    }
    pdf.push_str(&format!(
        "trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    pdf
}
