//! How soon a letter is seen: request to frame (measured by the load tester, outside) and COMMIT to socket (measured
//! by the server), with every patient's socket open. What a bare socket server costs: `make bench-sockets`.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::Arguments;
use crate::server::Ground;

/// From COMMIT to the last byte handed to the socket, at 1,000 letters a second.
const GOAL_P50_MS: f64 = 3.0;
const GOAL_P99_MS: f64 = 15.0;

pub(crate) async fn measure(arguments: &Arguments) -> anyhow::Result<Value> {
    let ground = Ground::prepare(arguments, arguments.patients).await?;
    let server = ground.serve().await?;
    let json_file = ground.sessions.with_file_name("report.json");
    let seconds = (arguments.seconds * 3.0).to_string();
    let arguments_ = [
        "--rate",
        "1000",
        "--duration",
        &seconds,
        "--connect-rate",
        "800",
        "--bar-p99-ms",
        "1000",
        "--json",
    ];
    let mut command = ground.loadtest(&server, &arguments_)?;
    let ended = tokio::process::Command::from({
        command.arg(&json_file).stdout(std::process::Stdio::null());
        command
    })
    .status()
    .await?;
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json_file)?)?;
    ensure!(ended.code() != Some(2), "the load test could not be run");
    let commit_to_socket = quantiles(
        &server.figures().await?,
        "letterbox_push_commit_to_socket_seconds",
    );
    let within = |quantile: &str, goal: f64| {
        let at_most = commit_to_socket["at_most"][quantile].as_f64();
        at_most.is_some_and(|most| most <= goal)
    };
    Ok(json!({
        "sockets": report["sockets"]["connected"], "letters_per_second": report["letters"]["per_second"],
        "ledger": report["ledger"],
        "request_to_frame_ms": report["milliseconds"]["sent_to_frame"],
        "due_to_frame_ms": report["milliseconds"]["due_to_frame"],
        "commit_to_socket_ms": commit_to_socket,
        "goal": { "commit_to_socket_p50_ms": GOAL_P50_MS, "commit_to_socket_p99_ms": GOAL_P99_MS },
        "met": within("p50", GOAL_P50_MS) && within("p99", GOAL_P99_MS),
        "load_test_passed": report["passed"], "load_test_faults": report["faults"],
    }))
}

/// Quantiles of a histogram's cumulative buckets, in milliseconds: each is the upper bound of its bucket.
fn quantiles(figures: &str, name: &str) -> Value {
    let prefix = format!("{name}_bucket{{le=\"");
    let buckets: Vec<(f64, f64)> = figures
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix)?.split_once("\"} "))
        .filter_map(|(bound, count)| Some((bound.parse().ok()?, count.parse().ok()?)))
        .collect();
    let all = buckets.last().map_or(0.0, |(_, count)| *count);
    let at = |quantile: f64| {
        let bucket = buckets.iter().find(|(_, count)| *count >= all * quantile);
        bucket.map(|(seconds, _)| seconds * 1_000.0)
    };
    json!({ "at_most": { "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p99.9": at(0.999) }, "events": all })
}
