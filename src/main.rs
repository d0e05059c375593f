//! The command line. The only home of `anyhow`; decides nothing, calls one function per subcommand.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use letterbox::{
    cluster::{Cluster, ClusterError, Options},
    commands::seed::seed_load,
    config::{Mode, Settings},
    demo, draw, inspect, node, store, telemetry,
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
    /// Serves pages, API and sockets until SIGTERM or Ctrl-C, then drains.
    Serve(Configured),
    /// Shows the demonstration: its own PostgreSQL, its own outside world, everything afresh.
    Demo {
        /// First port to try; the next twenty follow.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// `letterbox-sandbox`, where it does not lie beside this program.
        #[arg(long)]
        sandbox: Option<PathBuf>,
        /// Folder of its PostgreSQL, to keep it apart from another demonstration on this machine.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Writes made-up patients who are signed in, for a load test. Refused where real patients could be.
    Seed {
        #[command(flatten)]
        configured: Configured,
        /// How many.
        #[arg(long)]
        patients: usize,
        /// The file that the load tester reads: one line a patient, with an open session.
        #[arg(long)]
        sessions: PathBuf,
    },
    /// Brings the database to this version's schema and ends.
    Migrate(Configured),
    /// Reads the settings, shows them without their secrets, and ends.
    CheckConfig(Configured),
    /// Prints the version and the schema it knows.
    Version,
    /// Draws one PDF file from standard input with no rights of its own. Started by the server itself.
    #[command(hide = true)]
    DrawPdf {
        #[arg(long)]
        memory_bytes: u64,
        #[arg(long)]
        cpu_seconds: u64,
        #[arg(long)]
        most_pages: usize,
    },
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
        Command::Serve(configured) => serve(configured.load()?),
        Command::Demo {
            port,
            sandbox,
            data,
        } => show(port, sandbox, data),
        Command::Seed {
            configured,
            patients,
            sessions,
        } => seed(configured.load()?, patients, &sessions),
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
        Command::DrawPdf {
            memory_bytes,
            cpu_seconds,
            most_pages,
        } => Ok(draw::run_child(memory_bytes, cpu_seconds, most_pages)?),
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

fn serve(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.telemetry)?;
    let (settings, cluster) = with_database(settings)?;
    migrate_at(&settings)?;
    let served = actix_rt::System::new().block_on(node::serve(settings));
    if let Some(cluster) = cluster {
        cluster.stop()?;
    }
    Ok(served?)
}

fn show(port: u16, sandbox: Option<PathBuf>, data: Option<PathBuf>) -> anyhow::Result<()> {
    telemetry::start(
        &Settings::with(&[
            ("mode", "demo"),
            ("telemetry.format", "text"),
            ("telemetry.filter", "warn"),
        ])?
        .telemetry,
    )?;
    let mut options = Options::named("demo");
    options.folder = data.unwrap_or(options.folder);
    let mut world = options.folder.clone().into_os_string();
    world.push("-world");
    let stage = demo::Stage {
        port,
        sandbox_program: sandbox,
        world: world.into(),
    };
    match Cluster::ensure(&options) {
        Ok(cluster) => actix_rt::System::new().block_on(demo::run(stage, cluster)),
        Err(ClusterError::InUse { url: Some(url), .. }) => {
            println!("The demonstration is running already: {url}");
            Ok(())
        }
        Err(error) => Err(error).context("the private PostgreSQL"),
    }
}

fn seed(settings: Settings, patients: usize, sessions: &Path) -> anyhow::Result<()> {
    telemetry::start(&settings.telemetry)?;
    let (settings, cluster) = with_database(settings)?;
    migrate_at(&settings)?;
    let mut file =
        BufWriter::new(File::create(sessions).with_context(|| sessions.display().to_string())?);
    let (origin, cut_off) = (
        settings.server.public_url.clone(),
        settings.channels.post.cut_off,
    );
    tokio::runtime::Runtime::new()?.block_on(async {
        let store = store::Store::connect(&settings.database, settings.mode).await?;
        anyhow::Ok(seed_load(&store, patients, &origin, cut_off, &mut file).await?)
    })?;
    if let Some(cluster) = cluster {
        cluster.stop()?;
    }
    println!(
        "{patients} patients; their sessions are in {}",
        sessions.display()
    );
    Ok(())
}

/// Brings the database up to date where we may: with a private one always, otherwise where `migrate_url` is set.
fn migrate_at(settings: &Settings) -> anyhow::Result<()> {
    let Some(url) = &settings.database.migrate_url else {
        return Ok(());
    };
    Ok(tokio::runtime::Runtime::new()?.block_on(store::migrate(url, clock(settings.mode)))?)
}

fn clock(mode: Mode) -> store::Clock {
    match mode {
        Mode::Demo | Mode::Test => store::Clock::Movable,
        Mode::Production | Mode::Bench => store::Clock::Real,
    }
}

fn migrate(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(&settings.telemetry)?;
    let (settings, cluster) = with_database(settings)?;
    let url = settings
        .database
        .migrate_url
        .as_ref()
        .context("database.migrate_url is not set")?;
    tokio::runtime::Runtime::new()?.block_on(store::migrate(url, clock(settings.mode)))?;
    if let Some(cluster) = cluster {
        cluster.stop()?;
    }
    println!("the database has schema {}", store::schema_fingerprint());
    Ok(())
}
