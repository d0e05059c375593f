//! Measures Letterbox against bare baselines in the same run on the same machine, and prints ratios.
//! Absolute figures move with the machine; ratios are what the goals are set in.

mod bare;
mod claims;
mod intake;
mod memory;
mod pages;
mod push;
mod rounds;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::{Value, json};

/// `make bench` runs `all` beside a throwaway PostgreSQL that is durable (fsync on).
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// A superuser's URL of a cluster that may be filled with rubbish.
    #[arg(
        long,
        env = "LETTERBOX_TEST_DATABASE_URL",
        hide_env_values = true,
        global = true,
        default_value = ""
    )]
    database: String,
    /// Folder of the release binaries.
    #[arg(
        long,
        env = "LETTERBOX_BIN_DIR",
        global = true,
        default_value = "target/release"
    )]
    bin_dir: PathBuf,
    /// Seconds of each measured stretch.
    #[arg(long, global = true, default_value_t = 5.0)]
    seconds: f64,
    /// Rounds: baseline and subject take turns, the medians are compared.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
    /// Patients, and sockets where sockets are measured.
    #[arg(long, global = true, default_value_t = 10_000)]
    patients: usize,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum What {
    /// Everything below.
    All,
    /// Letters per second through the API against the same rows written bare, single and in batches of 100.
    Intake,
    /// Request to frame and COMMIT to socket at 1,000 letters per second, every patient with an open socket.
    Push,
    /// Server memory per idle session with its patient actor and five items.
    Memory,
    /// Due cases claimed, decided and committed, against a bare SKIP LOCKED loop.
    Claims,
    /// Patients' pages at 200 requests per second, against an answer without session, database and template.
    Pages,
}

impl Arguments {
    fn stretch(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let report = actix_rt::System::new().block_on(run(&arguments))?;
    println!("{report:#}");
    match missed("", &report) {
        none if none.is_empty() => eprintln!("every goal that was measured is met"),
        some => eprintln!("MISSED: {}", some.join(", ")),
    }
    Ok(())
}

/// Where in the report a goal stands that was not met.
fn missed(place: &str, part: &Value) -> Vec<String> {
    let Some(parts) = part.as_object() else {
        return Vec::new();
    };
    let here = (part["met"] == json!(false)).then(|| place.to_owned());
    let inside = parts
        .iter()
        .flat_map(|(name, part)| missed(&format!("{place}/{name}"), part));
    here.into_iter().chain(inside).collect()
}

async fn run(arguments: &Arguments) -> anyhow::Result<Value> {
    let mut report = json!({ "machine": machine() });
    let what = arguments.what;
    if matches!(what, What::All | What::Intake) {
        report["intake"] = intake::measure(arguments).await?;
    }
    if matches!(what, What::All | What::Push) {
        report["push"] = push::measure(arguments).await?;
    }
    if matches!(what, What::All | What::Memory) {
        report["memory"] = memory::measure(arguments).await?;
    }
    if matches!(what, What::All | What::Claims) {
        report["claims"] = claims::measure(arguments).await?;
    }
    if matches!(what, What::All | What::Pages) {
        report["pages"] = pages::measure(arguments).await?;
    }
    Ok(report)
}

fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({ "cores": cores, "load_before": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim() })
}
