//! The command line. The only home of `anyhow`; decides nothing, calls one function per subcommand.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use letterbox::{
    cluster::{Cluster, Options},
    config::{Mode, Settings},
    inspect, store, telemetry,
};

/// Real-time notification server for patients' letters and appointments.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Brings the database to this version's schema and ends.
    Migrate(Configured),
    /// Reads the settings, shows them without their secrets, and ends.
    CheckConfig(Configured),
    /// Prints the version and the schema it knows.
    Version,
    /// Reads PDF files from standard input with no rights of its own. Started by the server itself.
    #[command(hide = true)]
    InspectPdf {
        #[arg(long)]
        memory_bytes: u64,
        #[arg(long)]
        cpu_seconds: u64,
        #[arg(long)]
        most_pages: u32,
    },
}

#[derive(Args)]
struct Configured {
    /// A settings file; may be given several times, the later wins.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
}

impl Configured {
    fn load(&self) -> anyhow::Result<Settings> {
        Ok(Settings::load(&self.config)?)
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever started this reads one sentence, then its causes.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Migrate(configured) => migrate(configured.load()?),
        Command::CheckConfig(configured) => {
            println!("{:#?}", configured.load()?);
            Ok(())
        }
        Command::Version => {
            println!(
                "letterbox {}, schema {}",
                env!("CARGO_PKG_VERSION"),
                store::schema_fingerprint()
            );
            Ok(())
        }
        Command::InspectPdf {
            memory_bytes,
            cpu_seconds,
            most_pages,
        } => Ok(inspect::run_child(memory_bytes, cpu_seconds, most_pages)?),
    }
}

/// Settings whose database is there: the configured one, or the private PostgreSQL, which stays with the result.
fn with_database(mut settings: Settings) -> anyhow::Result<(Settings, Option<Cluster>)> {
    if settings.database.url.is_some() {
        return Ok((settings, None));
    }
    let mut options = Options::named("run");
    options.folder = settings.database.data.clone().unwrap_or(options.folder);
    options.programs.clone_from(&settings.database.programs);
    let cluster = Cluster::ensure(&options).context("the private PostgreSQL")?;
    settings.database.url = Some(cluster.app_url());
    settings.database.migrate_url = Some(cluster.migrate_url());
    settings
        .secrets
        .key_file
        .get_or_insert_with(|| cluster.key_file().to_owned());
    Ok((settings, Some(cluster)))
}

fn migrate(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.telemetry)?;
    let (settings, cluster) = with_database(settings)?;
    let url = settings
        .database
        .migrate_url
        .as_ref()
        .context("database.migrate_url is not set")?;
    let clock = match settings.mode {
        Mode::Demo | Mode::Test => store::Clock::Movable,
        Mode::Production | Mode::Bench => store::Clock::Real,
    };
    tokio::runtime::Runtime::new()?.block_on(store::migrate(url, clock))?;
    if let Some(cluster) = cluster {
        cluster.stop()?;
    }
    println!("the database has schema {}", store::schema_fingerprint());
    Ok(())
}
