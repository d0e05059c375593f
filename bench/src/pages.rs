//! How long a patient's pages take at a steady 200 requests a second, beside an answer of the same server that needs no
//! session, no database and no template. Latency counts from when a request was due, so a stall hits all that it delays.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::{Ground, Patient, Server};
use crate::{Arguments, memory};

const PER_SECOND: u32 = 200;
/// Enough that no mailbox is read twice in a round of the usual length.
const PATIENTS: usize = 2_000;
const EMPTY: &str = "/health/live";
const PAGES: [(&str, &str); 3] = [
    ("dashboard", "/"),
    ("documents", "/my-health/documents"),
    ("calendar", "/my-health/appointments"),
];

pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Value> {
    let ground = Ground::prepare(arguments, arguments.patients.min(PATIENTS)).await?;
    let server = ground.serve().await?;
    memory::fill(&ground, &server).await?;
    let mut empty = Vec::new();
    let mut pages = PAGES.map(|_| Vec::new());
    // The first round warms connections and caches.
    for round in 0..=arguments.rounds {
        let bare = stretch(&server, EMPTY, &ground.patients, arguments.stretch()).await?;
        for (taken, (_, path)) in pages.iter_mut().zip(PAGES) {
            let ours = stretch(&server, path, &ground.patients, arguments.stretch()).await?;
            if round > 0 {
                taken.extend(ours);
            }
        }
        if round > 0 {
            empty.extend(bare);
        }
    }
    let bare = p99(&mut empty).context("nothing was measured")?;
    let mut report = json!({ "requests_per_second": PER_SECOND, "empty_p99_ms": ms(bare) });
    for (mut taken, (name, _)) in pages.into_iter().zip(PAGES) {
        let ours = p99(&mut taken).context("nothing was measured")?;
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        report[name] =
            json!({ "p99_ms": ms(ours), "ratio_to_empty": (ratio * 10.0).round() / 10.0 });
    }
    Ok(report)
}

/// Requests at their times, each by the next patient; answers how long each took.
async fn stretch(
    server: &Server,
    path: &str,
    patients: &[Patient],
    lasts: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let url = format!("{}{path}", server.base);
    let (began, mut asked) = (Instant::now(), JoinSet::new());
    let between = Duration::from_secs(1) / PER_SECOND;
    for (number, patient) in (0_u32..).zip(patients.iter().cycle()) {
        let due = began + between * number;
        if due - began > lasts {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        let request = server.client.get(&url).header("Cookie", &patient.cookie);
        asked.spawn(async move {
            let answer = request.send().await?;
            let status = answer.status();
            answer.bytes().await?;
            ensure!(status.is_success(), "a page answered {status}");
            Ok(due.elapsed())
        });
    }
    asked.join_all().await.into_iter().collect()
}

fn p99(taken: &mut [Duration]) -> Option<Duration> {
    taken.sort_unstable();
    taken.get(taken.len() * 99 / 100).copied()
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}
