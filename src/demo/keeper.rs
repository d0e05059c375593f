//! Keeps the demonstration's processes: PostgreSQL, the sandbox and the server, each in its own; and starts afresh.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::child::{Kept, MakeCommand};
use super::control;
use super::nhs_login::{CLIENT_ID, StandIn};
use super::play::Play;
use crate::cluster::Cluster;
use crate::commands::seed::{self, Cast};
use crate::config::Settings;
use crate::pdf::Fonts;
use crate::store::{Clock, Store, recreate_database};

/// A fresh server migrates nothing and is ready within a second; a slow machine gets more.
const READY: Duration = Duration::from_secs(60);
/// The sandbox knows exactly one account; it is nobody's.
const TEXT_ACCOUNT: &str = "AC00000000000000000000000000000000";

/// How the demonstration is started.
#[derive(Clone, Debug)]
pub struct Stage {
    /// First port to try; the next twenty follow.
    pub port: u16,
    /// `letterbox-sandbox`; beside this program when `None`.
    pub sandbox_program: Option<PathBuf>,
    /// Folder of what the outside world keeps: its journal, and the print house's batches.
    pub world: PathBuf,
}

/// Everything that is not the play itself.
pub(super) struct World {
    urls: Urls,
    client: Client,
    port: u16,
    post_folder: PathBuf,
    sandbox: Mutex<Option<Kept>>,
    sandbox_url: String,
    /// The stand-in for NHS login, and under which issuer it speaks.
    nhs_login: Mutex<Option<Kept>>,
    issuer: Option<String>,
    server: Mutex<Option<Kept>>,
    make_server: Mutex<Option<MakeCommand>>,
}

/// How the private cluster is reached in each role.
struct Urls {
    admin: SecretString,
    migrate: SecretString,
    app: SecretString,
}

/// Runs the demonstration until it is interrupted.
///
/// # Errors
/// When PostgreSQL, the sandbox or the server cannot be started.
pub async fn run(stage: Stage, cluster: Cluster) -> anyhow::Result<()> {
    let client = Client::builder()
        .timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let (world, wiring) = World::build(&stage, &cluster, client.clone()).await?;
    let cast = world.fresh_database().await?;
    let fonts = Fonts::load()?;
    let play = Arc::new(Play::new(world, client, cast, fonts));
    let token = SecretString::from(random_token()?);
    let (control_url, control) = control::listen(Arc::clone(&play), token.clone())?;
    let controlling = actix_rt::spawn(control);
    play.world().serve(wiring.server(control_url, token))?;
    play.world().until_ready().await?;
    greet(&cluster, play.world())?;
    until_interrupted().await?;
    controlling.abort();
    play.world().close().await;
    tokio::task::spawn_blocking(move || cluster.stop())
        .await?
        .context("PostgreSQL")
}

fn greet(cluster: &Cluster, world: &World) -> anyhow::Result<()> {
    let port = world.port();
    println!("Letterbox demonstration (not an NHS service, no real patients)");
    println!("  start here:     http://localhost:{port}/stage");
    println!("  Margaret:       http://margaret.localhost:{port}/");
    println!("  her daughter:   http://susan.localhost:{port}/");
    println!("  Gwyn:           http://gwyn.localhost:{port}/");
    println!("  booking office: http://booking.localhost:{port}/board");
    println!("  outside world:  http://localhost:{port}/outside-world");
    match &world.issuer {
        Some(_) => println!("  NHS login:      http://localhost:{port}/login (a stand-in)"),
        None => println!("  NHS login:      not installed: run `make tools` and start again"),
    }
    println!("Stop with Ctrl-C. Everything starts afresh next time.");
    cluster
        .announce(&format!("http://localhost:{port}/stage"))
        .context("the running demonstration's address")
}

async fn until_interrupted() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Addresses that do not change while the demonstration runs.
struct Wiring {
    program: PathBuf,
    port: u16,
    app_url: SecretString,
    key_file: PathBuf,
    post_folder: PathBuf,
    smtp_port: u16,
    sandbox_url: String,
    nhs_login: Option<StandIn>,
}

impl Wiring {
    /// The server's command line: the ordinary `serve`, told by its environment where everything is.
    fn server(self, control_url: String, token: SecretString) -> MakeCommand {
        Arc::new(move || {
            let mut command = Command::new(&self.program);
            let set = [
                ("MODE", "demo".to_owned()),
                ("SERVER__LISTEN", format!("127.0.0.1:{}", self.port)),
                (
                    "SERVER__PUBLIC_URL",
                    format!("http://localhost:{}", self.port),
                ),
                ("DATABASE__URL", self.app_url.expose_secret().to_owned()),
                ("SECRETS__KEY_FILE", self.key_file.display().to_string()),
                ("CHANNELS__EMAIL__HOST", "127.0.0.1".to_owned()),
                ("CHANNELS__EMAIL__PORT", self.smtp_port.to_string()),
                ("CHANNELS__EMAIL__TLS", "none".to_owned()),
                ("CHANNELS__TEXT__BASE_URL", self.sandbox_url.clone()),
                ("CHANNELS__TEXT__ACCOUNT_SID", TEXT_ACCOUNT.to_owned()),
                ("CHANNELS__TEXT__API_KEY_SID", TEXT_ACCOUNT.to_owned()),
                (
                    "CHANNELS__TEXT__API_KEY_SECRET",
                    "sandbox-auth-token".to_owned(),
                ),
                (
                    "CHANNELS__TEXT__AUTH_TOKEN",
                    "sandbox-auth-token".to_owned(),
                ),
                ("CHANNELS__TEXT__FROM", "MyHealth".to_owned()),
                (
                    "CHANNELS__POST__FOLDER",
                    self.post_folder.display().to_string(),
                ),
                ("CHANNELS__POST__POLL", "500ms".to_owned()),
                ("DEMO__SANDBOX_URL", self.sandbox_url.clone()),
                ("DEMO__CONTROL_URL", control_url.clone()),
                ("DEMO__CONTROL_TOKEN", token.expose_secret().to_owned()),
                ("TELEMETRY__FORMAT", "text".to_owned()),
                ("TELEMETRY__FILTER", "warn".to_owned()),
            ];
            if let Some(stand_in) = &self.nhs_login {
                command
                    .env("LETTERBOX__NHS_LOGIN__ISSUER", stand_in.issuer())
                    .env("LETTERBOX__NHS_LOGIN__CLIENT_ID", CLIENT_ID)
                    .env("LETTERBOX__NHS_LOGIN__KEY_FILE", stand_in.key_file());
            }
            command
                .arg("serve")
                .envs(set.map(|(key, value)| (format!("LETTERBOX__{key}"), value)));
            command
        })
    }
}

impl World {
    async fn build(
        stage: &Stage,
        cluster: &Cluster,
        client: Client,
    ) -> anyhow::Result<(Self, Wiring)> {
        let program = std::env::current_exe()?;
        let sandbox_program = match &stage.sandbox_program {
            Some(program) => program.clone(),
            None => program.with_file_name("letterbox-sandbox"),
        };
        let files = stage.world.clone();
        let post_folder = files.join("post");
        std::fs::create_dir_all(&post_folder).with_context(|| files.display().to_string())?;
        let (http, smtp) = (free_port(0)?, free_port(0)?);
        let sandbox = Kept::start(
            "sandbox",
            sandbox(sandbox_program.clone(), &files, http, smtp),
        );
        let sandbox = sandbox.with_context(|| sandbox_program.display().to_string())?;
        let sandbox_url = format!("http://{http}");
        let port =
            (stage.port..=stage.port.saturating_add(20)).find_map(|port| free_port(port).ok());
        let port = port
            .with_context(|| format!("no free port from {} on", stage.port))?
            .port();
        let stand_in = StandIn::find(&files, free_port(0)?)?;
        let kept = stand_in.as_ref().map(|one| {
            let portal = format!("http://localhost:{port}");
            Kept::start("stand-in for NHS login", one.command(&portal))
        });
        let kept = kept
            .transpose()
            .context("node, for the stand-in for NHS login")?;
        let issuer = stand_in.as_ref().map(StandIn::issuer);
        let wiring = Wiring {
            program,
            port,
            app_url: cluster.app_url(),
            key_file: cluster.key_file().to_owned(),
            post_folder: post_folder.clone(),
            smtp_port: smtp.port(),
            sandbox_url: sandbox_url.clone(),
            nhs_login: stand_in,
        };
        let urls = Urls {
            admin: cluster.admin_url(),
            migrate: cluster.migrate_url(),
            app: cluster.app_url(),
        };
        let world = Self {
            urls,
            client,
            port,
            post_folder,
            sandbox: Mutex::new(Some(sandbox)),
            sandbox_url,
            nhs_login: Mutex::new(kept),
            issuer,
            server: Mutex::default(),
            make_server: Mutex::default(),
        };
        world
            .until_answers(&format!("{}/health", world.sandbox_url))
            .await
            .context("the sandbox")?;
        if let Some(issuer) = &world.issuer {
            world
                .until_answers(&format!("{issuer}/health"))
                .await
                .context("the stand-in for NHS login")?;
        }
        Ok((world, wiring))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the server as a power cut would; it is started again at once.
    ///
    /// # Errors
    /// When it is not running.
    pub(super) fn kill_the_server(&self) -> anyhow::Result<()> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = server
            .as_ref()
            .context("the server is not running")?
            .kill_dash_nine()?;
        tracing::warn!(pid, "killed the server with -9");
        Ok(())
    }

    /// Everything as at the beginning: an empty outside world and a new database.
    ///
    /// # Errors
    /// When any part does not come back.
    pub(super) async fn reset(&self) -> anyhow::Result<Cast> {
        self.server().stop().await;
        let cast = self.fresh_database().await?;
        let make = self
            .make_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.serve(make.context("the server was never started")?)?;
        self.until_ready().await?;
        Ok(cast)
    }

    async fn fresh_database(&self) -> anyhow::Result<Cast> {
        // Batches of an earlier show: their names are used again, and a name that has gone out is never overwritten.
        for folder in ["outgoing", "incoming"] {
            let folder = self.post_folder.join(folder);
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| folder.display().to_string());
                }
                _ => std::fs::create_dir_all(&folder)?,
            }
        }
        let cleared = self
            .client
            .post(format!("{}/reset", self.sandbox_url))
            .send()
            .await?;
        cleared
            .error_for_status()
            .context("the sandbox would not reset")?;
        recreate_database(&self.urls.admin).await?;
        crate::store::migrate(&self.urls.migrate, Clock::Real).await?;
        let settings = Settings::with(&[
            ("mode", "demo"),
            ("database.url", self.urls.app.expose_secret()),
        ])?;
        let store = Store::connect(&settings.database, settings.mode).await?;
        Ok(seed::seed_demo(&store, self.issuer.as_deref()).await?)
    }

    fn serve(&self, make: MakeCommand) -> anyhow::Result<()> {
        let kept = Kept::start("server", Arc::clone(&make))?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        *self
            .make_server
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(make);
        Ok(())
    }

    /// Takes the server away from its keeper, for stopping.
    fn server(&self) -> Taken {
        Taken(
            self.server
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        )
    }

    async fn until_ready(&self) -> anyhow::Result<()> {
        self.until_answers(&format!("{}/health/ready", self.base_url()))
            .await
            .context("the server")
    }

    async fn until_answers(&self, url: &str) -> anyhow::Result<()> {
        let waited = tokio::time::timeout(READY, async {
            while !self
                .client
                .get(url)
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        waited
            .await
            .with_context(|| format!("{url} did not answer within {READY:?}"))
    }

    /// Ends the server and then the sandbox.
    pub(super) async fn close(&self) {
        self.server().stop().await;
        let sandbox = self
            .sandbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Taken(sandbox).stop().await;
        let nhs_login = self
            .nhs_login
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Taken(nhs_login).stop().await;
    }
}

struct Taken(Option<Kept>);

impl Taken {
    async fn stop(self) {
        if let Some(kept) = self.0 {
            kept.stop().await;
        }
    }
}

fn sandbox(program: PathBuf, files: &Path, http: SocketAddr, smtp: SocketAddr) -> MakeCommand {
    let journal = files.join("journal.jsonl");
    let (outgoing, incoming) = (files.join("post/outgoing"), files.join("post/incoming"));
    Arc::new(move || {
        let mut command = Command::new(&program);
        command
            .arg("--http")
            .arg(http.to_string())
            .arg("--smtp")
            .arg(smtp.to_string());
        command
            .arg("--journal")
            .arg(&journal)
            .arg("--post-folder")
            .arg(&outgoing);
        command.arg("--acks-folder").arg(&incoming);
        command.stdout(std::process::Stdio::null());
        command
    })
}

/// A port of 127.0.0.1 that is free now; 0 asks for any.
fn free_port(port: u16) -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()
}

fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        bail!("the system gives no random numbers");
    }
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
