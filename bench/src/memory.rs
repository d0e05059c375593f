//! Resident memory of the server per idle session, each with its own patient actor and five items.
//! The server stands behind TLS termination; the kernel's share of a socket is not in it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::server::{Ground, Server};
use crate::{Arguments, intake};

/// What a session may weigh, idle and after one frame of the largest size.
const GOAL_BYTES: u64 = 4_096;
/// Items in each mailbox.
const ITEMS: usize = 5;

pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Value> {
    let ground = Ground::prepare(arguments, arguments.patients).await?;
    let server = ground.serve().await?;
    fill(&ground, &server).await?;
    // What publishing needed is given back before it is measured; a first crowd warms pools and allocator.
    let warm = hold(&ground, &server, 500, &[]).await?;
    leave(warm, &server).await?;
    let before = server.rss_bytes()?;
    let count = arguments.patients;
    let crowd = hold(&ground, &server, count, &[]).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle = server.rss_bytes()?;
    leave(crowd, &server).await?;
    let left = server.rss_bytes()?;
    let crowd = hold(&ground, &server, count, &["--largest-frame"]).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after_largest = server.rss_bytes()?;
    leave(crowd, &server).await?;
    let each = |now: u64| now.saturating_sub(before) / count as u64;
    Ok(json!({
        "sessions": count, "items_each": ITEMS, "server_before_bytes": before,
        "bytes_per_idle_session": each(idle),
        "bytes_per_session_after_one_largest_frame": each(after_largest),
        "bytes_kept_per_session_after_all_left": each(left),
        "goal_bytes": GOAL_BYTES, "met": each(idle.max(after_largest)) <= GOAL_BYTES, "behind": "TLS termination",
    }))
}

/// Five letters for every patient.
pub(crate) async fn fill(ground: &Ground, server: &Server) -> anyhow::Result<()> {
    let document = intake::upload(ground, server, &intake::page(0)).await?;
    for _ in 0..ITEMS {
        for patients in ground.patients.chunks(100) {
            let forms = patients
                .iter()
                .map(|patient| intake::form(patient, &document))
                .collect();
            intake::send(ground, server, forms).await?;
        }
    }
    Ok(())
}

/// Sockets that do nothing, held by the load tester until it is told to go.
async fn hold(
    ground: &Ground,
    server: &Server,
    count: usize,
    more: &[&str],
) -> anyhow::Result<Child> {
    let count_ = count.to_string();
    let mut command = ground.loadtest(
        server,
        &[
            "--patients",
            &count_,
            "--hold",
            "600",
            "--connect-rate",
            "800",
        ],
    )?;
    command.args(more).stdout(Stdio::null());
    let child = Command::from(command).kill_on_drop(true).spawn()?;
    wait_for(server, |sessions| sessions >= count as f64).await?;
    Ok(child)
}

async fn leave(mut crowd: Child, server: &Server) -> anyhow::Result<()> {
    crowd.kill().await?;
    wait_for(server, |sessions| sessions < 1.0).await?;
    // Actors retire a minute after their last session.
    tokio::time::sleep(Duration::from_secs(75)).await;
    Ok(())
}

async fn wait_for(server: &Server, done: impl Fn(f64) -> bool) -> anyhow::Result<()> {
    let until = Instant::now() + Duration::from_secs(180);
    while !done(server.figure("letterbox_live_sessions").await?) {
        ensure!(
            Instant::now() < until,
            "the sockets neither opened nor closed in time"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
