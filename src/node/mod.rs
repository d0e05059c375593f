//! Builds one node from settings, serves until it is told to stop, and drains. The only place that knows everybody.

mod bells;
mod chores;
mod health;
mod paper;
mod room;
mod secret;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::{App, web};
use letterbox_actors::clock::SystemClock;
use letterbox_actors::settings::Settings as LivingSettings;
use letterbox_actors::system::{Ports, StartError, System};
use tokio::signal::unix::{SignalKind, signal};

use crate::api::{self, Api, Receipts};
use crate::channels::{ChannelError, Channels};
use crate::commands::Bells;
use crate::config::{Mode, Practices, PracticesError, Settings};
use crate::crash;
use crate::draw::{Drawer, Limits as DrawerLimits};
use crate::identity::Identity;
use crate::identity::nhs_login::{NhsLogin, SetupError};
use crate::identity::origin::{BadPublicUrl, Origins};
use crate::inspect::{Inspector, Limits as InspectorLimits};
use crate::live::cursor::{Cursors, WeakSecret};
use crate::live::door::{self, DoorSettings};
use crate::live::limits::Limits;
use crate::live::{self, Live};
use crate::pdf::{Fonts, PdfError};
use crate::relay::{LocalBus, Relay};
use crate::store::ladder::{Bounds, LadderStore, Sender};
use crate::store::mails::AccountMails;
use crate::store::{Store, StoreError};
use crate::telemetry;
use crate::web as pages;

use bells::NodeBells;
use health::Vitals;
use paper::Paper;
use room::Room;

/// Ports tried after the configured one, where `server.next_free_port` is set.
const MORE_PORTS: u16 = 20;

/// Why a node does not start; each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("this server cannot serve from its database")]
    Store(#[from] StoreError),
    #[error("secrets.key_file {}: {source}", path.display())]
    KeyFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "secrets.key_file is not set: make 32 random bytes with `head -c 32 /dev/urandom > key` and name the file"
    )]
    NoKeyFile,
    #[error(transparent)]
    WeakSecret(#[from] WeakSecret),
    #[error(transparent)]
    PublicUrl(#[from] BadPublicUrl),
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Fonts(#[from] PdfError),
    #[error(
        "channels.post.folder is not set: without it no letter can be posted, and unread letters would be lost"
    )]
    NoPost,
    #[error(transparent)]
    NhsLogin(#[from] SetupError),
    #[error(transparent)]
    Practices(#[from] PracticesError),
    #[error("the living system: {0}")]
    Living(#[from] StartError),
    #[error("server.listen {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the server: {0}")]
    Io(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// [`NodeError`] when the node cannot start; nothing has been served then.
pub async fn serve(settings: Settings) -> Result<(), NodeError> {
    crash::arm(settings.mode);
    let descriptors = telemetry::raise_descriptor_limit()?;
    let room = Room::of(descriptors, &settings.server);
    room.announce(descriptors, &settings.server);
    let node = Node::build(&settings, room).await?;
    let listener = listen(&settings)?;
    let address = listener.local_addr()?;
    let server = node.open(listener, &settings)?;
    tracing::info!(%address, mode = ?settings.mode, "node.serving");
    let handle = server.handle();
    let serving = actix_rt::spawn(server);
    until_told().await?;
    node.drain(&settings).await;
    handle.stop(true).await;
    serving.await.map_err(std::io::Error::other)??;
    tracing::info!("node.stopped");
    Ok(())
}

async fn until_told() -> std::io::Result<()> {
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

/// The configured address, or one of the next ports where that is allowed.
fn listen(settings: &Settings) -> Result<TcpListener, NodeError> {
    let wanted = settings.server.listen;
    let last = if settings.server.next_free_port {
        wanted.port().saturating_add(MORE_PORTS)
    } else {
        wanted.port()
    };
    let mut ports = wanted.port()..=last;
    let mut refused = None;
    let found =
        ports.find_map(
            |port| match TcpListener::bind(SocketAddr::new(wanted.ip(), port)) {
                Ok(listener) => Some(listener),
                Err(error) => {
                    refused = Some(error);
                    None
                }
            },
        );
    let unknown = || std::io::Error::other("no port");
    found.ok_or_else(|| NodeError::Listen {
        address: wanted,
        source: refused.unwrap_or_else(unknown),
    })
}

/// One node's parts.
struct Node {
    store: Store,
    system: System,
    relay: Relay,
    live: Arc<Live>,
    room: Room,
    identity: Identity,
    api: web::Data<Api>,
    receipts: web::Data<Receipts>,
    portal: web::Data<pages::Portal>,
    templates: web::Data<pages::templates::Templates>,
}

impl Node {
    async fn build(settings: &Settings, room: Room) -> Result<Self, NodeError> {
        let store = Store::connect(&settings.database, settings.mode).await?;
        let channels = Channels::new(
            &settings.channels,
            &settings.server.public_url,
            settings.dispatch.timeout,
        )?;
        if channels.press().is_none() && settings.mode == Mode::Production {
            return Err(NodeError::NoPost);
        }
        let secret = secret::read(&settings.secrets)?;
        let origins = origins(settings)?;
        let relay = Relay::new(Arc::new(LocalBus));
        let bells = Arc::new(NodeBells::new(relay.clone()));
        let sender = Sender {
            service: settings.server.service_name.clone(),
            portal: Some(settings.server.public_url.clone()),
        };
        let mails = AccountMails::new(&store, sender.clone());
        let ladder = LadderStore::new(&store, sender, Arc::new(Paper(Fonts::load()?)))
            .within(Bounds::new(&settings.dispatch, &settings.channels.post));
        let ringing: Arc<dyn Bells> = bells.clone();
        let stores = Stores {
            store: &store,
            ladder: &ladder,
            mails,
        };
        let system = living(settings, stores, &channels, &relay, &ringing)?;
        let live = Live::start(live::Parts {
            limits: Limits {
                spare_descriptors: room.spare,
                ..Limits::new(&settings.live, &settings.server)
            },
            origins: origins.clone(),
            idle: (&settings.sessions).into(),
            store: store.clone(),
            system: system.clone(),
            cursors: Cursors::new(&secret)?,
        });
        relay.connect(system.clone(), Arc::clone(&live), store.clone());
        bells.connect(system.clone());
        let inspector = Arc::new(Inspector::new(inspector_limits(settings)?));
        let api = Api::new(store.clone(), bells.clone(), inspector, &settings.intake);
        let portal = pages::Portal {
            store: store.clone(),
            ladder: ladder.clone(),
            system: system.clone(),
            live: Arc::clone(&live),
            bells: bells.clone(),
            entrance: Arc::new(entrance(settings)?),
            drawer: Arc::new(Drawer::new(drawer_limits(settings)?)),
            demo: pages::Demo::of(settings.mode, &settings.demo).map(Arc::new),
        };
        let receipts = Receipts {
            webhook: channels.webhook,
            ladder,
            bells: bells.clone(),
        };
        Ok(Self {
            identity: Identity::new(store.clone(), &settings.sessions, origins),
            portal: web::Data::new(portal),
            templates: web::Data::new(pages::templates::Templates::new(site(settings))),
            api: web::Data::new(api),
            receipts: web::Data::new(receipts),
            store,
            system,
            relay,
            live,
            room,
        })
    }

    /// Opens the door.
    fn open(
        &self,
        listener: TcpListener,
        settings: &Settings,
    ) -> std::io::Result<actix_server::Server> {
        let vitals = web::Data::new(Vitals {
            system: self.system.clone(),
            relay: self.relay.clone(),
            store: self.store.clone(),
            metrics_from: settings.server.metrics_from.clone(),
            trusted_proxies: settings.server.trusted_proxies.clone(),
        });
        let identity = web::Data::new(self.identity.clone());
        let (live, api) = (live::ticket::data(&self.live), self.api.clone());
        let receipts = self.receipts.clone();
        let (portal, templates) = (self.portal.clone(), self.templates.clone());
        let door = DoorSettings {
            workers: self.room.workers,
            connections_per_worker: self.room.per_worker,
            head_within: settings.server.head_timeout,
            stop_within: settings.server.drain,
            ..DoorSettings::default()
        };
        door::serve(listener, &self.live, door, move || {
            App::new()
                .app_data(vitals.clone())
                .app_data(identity.clone())
                .app_data(live.clone())
                .app_data(api.clone())
                .app_data(receipts.clone())
                .app_data(portal.clone())
                .app_data(templates.clone())
                .configure(health::routes)
                .configure(api::routes)
                .configure(api::provider_routes)
                .configure(live::ticket::routes)
                .configure(pages::routes)
        })
    }

    /// Sockets leave one by one, then nothing new is claimed and what is in flight ends.
    async fn drain(&self, settings: &Settings) {
        tracing::info!("node.draining");
        let left = self.live.drain(settings.server.drain).await;
        let report = self.system.drain(settings.server.drain).await;
        tracing::info!(sessions = left.told, sockets_left = left.left, unfinished = ?report.unfinished, "node.drained");
    }
}

/// What the pages say about the portal.
fn site(settings: &Settings) -> pages::templates::Site {
    pages::templates::Site {
        portal_name: settings.server.service_name.clone(),
        banner: settings.portal.banner.clone(),
        help_email: settings.portal.help_email.clone(),
        area: settings.portal.area.clone(),
        quick_exit_url: settings.portal.quick_exit_url.clone(),
    }
}

fn entrance(settings: &Settings) -> Result<pages::Entrance, NodeError> {
    Ok(pages::Entrance {
        nhs_login: NhsLogin::of(&settings.nhs_login, &settings.server.public_url)?,
        practices: Practices::load(settings.joining.practices_file.as_deref(), settings.mode)?,
        decide_within: settings.joining.decide_within,
    })
}

fn origins(settings: &Settings) -> Result<Origins, NodeError> {
    let origins = Origins::of(&settings.server.public_url)?;
    let origins = settings
        .server
        .allowed_origins
        .iter()
        .try_fold(origins, |origins, more| origins.and(more))?;
    Ok(match settings.mode {
        Mode::Demo => origins.with_demo_hosts(settings.server.listen.port()),
        _ => origins,
    })
}

/// What the living system reads and writes.
struct Stores<'a> {
    store: &'a Store,
    ladder: &'a LadderStore,
    mails: AccountMails,
}

fn living(
    settings: &Settings,
    stores: Stores<'_>,
    channels: &Channels,
    relay: &Relay,
    bells: &Arc<dyn Bells>,
) -> Result<System, NodeError> {
    let Stores {
        store,
        ladder,
        mails,
    } = stores;
    let ladder = Arc::new(ladder.clone());
    let living = LivingSettings {
        patient_idle: settings.live.retire_after,
        catch_up_max: settings.live.catch_up,
        heads_every: settings.live.heads_interval,
        grant_lease: settings.live.grant_lease,
        poll: settings.deadline.poll,
        case_batch: settings.deadline.claim_batch,
        case_lease: settings.deadline.lease,
        dispatch_poll: settings.dispatch.poll,
        dispatch_parallel: usize::from(settings.dispatch.claim_batch.max(1)),
        press_poll: settings.channels.post.poll,
        dispatch_lease: settings.dispatch.lease,
        send_patience: settings.dispatch.timeout,
        ..LivingSettings::default()
    };
    let ports = Ports {
        mailboxes: Arc::new(store.scheduler()),
        cases: ladder.clone(),
        dispatches: ladder.clone(),
        outlets: channels.outlets(),
        account_mails: channels
            .outlets()
            .into_iter()
            .map(|outlet| (Arc::new(mails.clone()) as _, outlet))
            .collect(),
        print: channels.press().map(|press| (ladder.clone() as _, press)),
        boards: Arc::new(store.scheduler()),
        chores: chores::all(store, &ladder, bells, living.node),
        doorbell: Arc::new(relay.clone()),
    };
    Ok(System::start(ports, living, Arc::new(SystemClock::new()))?)
}

fn drawer_limits(settings: &Settings) -> std::io::Result<DrawerLimits> {
    let drawing = &settings.drawing;
    Ok(DrawerLimits {
        program: std::env::current_exe()?,
        children: drawing.children,
        patience: drawing.patience,
        wall: drawing.wall,
        memory_bytes: drawing.memory_bytes,
        most_pages: drawing.max_pages,
    })
}

fn inspector_limits(settings: &Settings) -> std::io::Result<InspectorLimits> {
    let inspector = &settings.inspector;
    Ok(InspectorLimits {
        program: std::env::current_exe()?,
        children: inspector.children,
        files_per_child: inspector.files_per_child,
        wall: inspector.wall,
        memory_bytes: inspector.memory_bytes,
        most_pages: inspector.max_pages,
        most_bytes: settings.intake.max_pdf_bytes,
        waiting: inspector.queue_files,
    })
}
