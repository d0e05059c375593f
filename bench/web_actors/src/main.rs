//! Two socket servers side by side on this machine: a `actix-web-actors` actor a session, and the shape Letterbox
//! uses (the upgrade leaves HTTP, tokio-tungstenite frames it, an actix actor holds the patient behind a bounded gate).
//!
//! Three questions: bytes per idle session, whether a session's heartbeat goes on while its client does not read, and
//! what 200,000 messages of 1 KB to a client that does not read cost.

mod client;
mod dispatcher_bound;
mod upgraded;

use std::io::BufRead;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::{Value, json};

/// Messages sent to the client that does not read, and their size.
const FLOOD: usize = 200_000;
const FLOOD_BYTES: usize = 1_024;
/// A session's heart beats so often.
const BEAT: Duration = Duration::from_millis(500);
/// How long the stalled client is watched.
const WATCH: Duration = Duration::from_secs(6);

/// Heartbeats of all sessions; read over HTTP.
static BEATS: AtomicU64 = AtomicU64::new(0);

fn beat() {
    BEATS.fetch_add(1, Ordering::Relaxed);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// `actix-web-actors`: the session is the response body of its request.
    WebActors,
    /// The upgrade leaves HTTP; tokio-tungstenite and an actix actor.
    Upgraded,
}

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Serves one shape and prints its port.
    Serve { shape: Shape },
    /// Measures both.
    Compare {
        #[arg(long, default_value_t = 10_000)]
        sessions: usize,
    },
}

fn main() -> anyhow::Result<()> {
    actix_rt::System::new().block_on(async {
        match Arguments::parse().what {
            What::Serve {
                shape: Shape::WebActors,
            } => Ok(dispatcher_bound::serve().await?),
            What::Serve {
                shape: Shape::Upgraded,
            } => Ok(upgraded::serve().await?),
            What::Compare { sessions } => compare(sessions).await,
        }
    })
}

async fn compare(sessions: usize) -> anyhow::Result<()> {
    let mut report = json!({ "sessions": sessions, "flood": format!("{FLOOD} messages of {FLOOD_BYTES} bytes") });
    for (name, shape) in [
        ("actix-web-actors", "web-actors"),
        ("upgrade + tokio-tungstenite + actix", "upgraded"),
    ] {
        report[name] = measure(shape, sessions).await?;
    }
    println!("{report:#}");
    Ok(())
}

async fn measure(shape: &str, sessions: usize) -> anyhow::Result<Value> {
    let idle = {
        let server = Server::start(shape)?;
        let before = server.rss_bytes()?;
        let sockets = client::connect_many(server.port, sessions).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let each = server.rss_bytes()?.saturating_sub(before) / sessions as u64;
        drop(sockets);
        each
    };
    let server = Server::start(shape)?;
    let before = server.rss_bytes()?;
    let stalled = client::connect(server.port).await?;
    client::send_text(&stalled, "flood").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let beats_before = client::beats(server.port).await?;
    tokio::time::sleep(WATCH).await;
    let beats = client::beats(server.port).await? - beats_before;
    let grown = server.rss_bytes()?.saturating_sub(before);
    let expected = WATCH.as_millis() / BEAT.as_millis();
    Ok(json!({
        "bytes_per_idle_session": idle,
        "heartbeats_while_the_client_stalls": beats,
        "heartbeats_expected": expected as u64,
        "bytes_grown_by_the_flood": grown,
    }))
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(shape: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", shape])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        Ok(Self {
            port: line.trim().parse().context("the server printed no port")?,
            child,
        })
    }

    fn rss_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}
