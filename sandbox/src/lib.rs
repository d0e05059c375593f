//! The world outside, for tests and demonstrations: a text provider, a mail server, a print house.
//!
//! It speaks the real wire formats and shares no code with the server, so that it can judge it: each
//! accepted effect is on disk in the journal before the client is told. It never reaches anything but
//! the callback addresses that its clients name.

mod clock;
mod control;
pub mod entry;
mod faults;
mod journal;
mod mime;
mod print;
mod smtp;
mod twilio;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::entry::Entry;
use crate::journal::Journal;
use crate::print::{Folders, PrintHouse};
use crate::world::World;

pub use crate::twilio::{Account, Pace};

/// Threads that answer HTTP; two cover a small machine without crowding the server under test.
const WORKERS: usize = 2;

/// Where and how the sandbox runs.
#[derive(Clone)]
pub struct Settings {
    pub http: SocketAddr,
    pub smtp: SocketAddr,
    pub journal: PathBuf,
    pub post_folder: PathBuf,
    pub acks_folder: PathBuf,
    pub account: Account,
    pub pace: Pace,
    /// How often the print house looks at its drop.
    pub print_every: Duration,
}

/// A sandbox at work; ends with [`Running::stop`].
pub struct Running {
    pub http: SocketAddr,
    pub smtp: SocketAddr,
    server: ServerHandle,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Stops answering. What was accepted is in the journal.
    pub async fn stop(self) {
        self.server.stop(false).await;
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Reads the journal, opens the doors, and returns when a client may come.
///
/// # Errors
/// When an address is taken, the journal is damaged, or a folder cannot be made.
pub async fn start(settings: Settings) -> Result<Running> {
    let (journal, lines) = Journal::open(&settings.journal)?;
    let earlier = lines.len() as u64;
    let world = Arc::new(World::rebuild(journal, lines));
    world
        .record(vec![Entry::Started { lines: earlier }])
        .await?;
    let folders = Folders {
        drop: settings.post_folder.clone(),
        acks: settings.acks_folder.clone(),
        every: settings.print_every,
    };
    let house = Arc::new(PrintHouse::new(Arc::clone(&world), folders)?);
    let mail = TcpListener::bind(settings.smtp).await;
    let mail = mail.with_context(|| format!("listening for SMTP on {}", settings.smtp))?;
    let smtp = mail.local_addr()?;
    let progress = twilio::start(Arc::clone(&world), settings.account.clone(), settings.pace)?;
    let shared = (
        Data::from(Arc::clone(&world)),
        Data::from(Arc::clone(&house)),
    );
    let (account, progress) = (Data::new(settings.account), Data::new(progress));
    let http = HttpServer::new(move || {
        App::new()
            .app_data(shared.0.clone())
            .app_data(shared.1.clone())
            .app_data(account.clone())
            .app_data(progress.clone())
            .configure(control::routes)
            .configure(twilio::routes)
    });
    let http = http.workers(WORKERS).disable_signals().bind(settings.http);
    let http = http.with_context(|| format!("listening for HTTP on {}", settings.http))?;
    let address = *http.addrs().first().context("no HTTP address")?;
    let server = http.run();
    let handle = server.handle();
    let tasks = vec![
        tokio::spawn(async move {
            if let Err(error) = server.await {
                eprintln!("letterbox-sandbox: http: {error}");
            }
        }),
        tokio::spawn(smtp::serve(mail, Arc::clone(&world))),
        tokio::spawn(house.watch()),
    ];
    Ok(Running {
        http: address,
        smtp,
        server: handle,
        tasks,
    })
}
