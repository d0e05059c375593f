//! Starts the tree of actors, is the only handle others hold, and drains it in reverse.
//!
//! Runs inside an actix system. Patients have threads of their own; all background actors share one, so that a
//! storm of deadlines never delays a patient's page.

mod wires;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_rt::Arbiter;
use letterbox_domain::{
    dispatch::Channel,
    event::Event,
    id::{GrantId, GrantsVersion, PatientId, Seq, TrustId},
};

pub(crate) use wires::Wires;

use crate::{
    board::{BoardSeat, Boards},
    caretaker::{BadSchedule, Caretaker},
    clock::Clock,
    directory::{Directory, Heads},
    dispatcher::Dispatcher,
    health::{Health, Seldom},
    lease::Lease,
    messages::{Attach, AttachError, Attached},
    patient::Surroundings,
    ports::{
        BoardReader, CaseStore, Chore, DispatchStore, Doorbell, MailboxReader, Outlet, Press,
        PrintStore, Push, SessionHandle,
    },
    press::PrintRoom,
    rounds::{AnyPost, Post, Tools},
    settings::Settings,
    shelf::Attachment,
    trusts::Trusts,
    warden,
};

/// Everything the living system needs from outside.
pub struct Ports {
    pub mailboxes: Arc<dyn MailboxReader>,
    pub cases: Arc<dyn CaseStore>,
    pub dispatches: Arc<dyn DispatchStore>,
    /// One driver a channel; a channel without one is not served by this node.
    pub outlets: Vec<Arc<dyn Outlet>>,
    /// Mails and texts to accounts (invitations, reminders), one driver a channel; a node without one sends none.
    pub account_mails: Vec<(Arc<dyn DispatchStore>, Arc<dyn Outlet>)>,
    /// The print room, unless another node prints.
    pub print: Option<(Arc<dyn PrintStore>, Arc<dyn Press>)>,
    pub boards: Arc<dyn BoardReader>,
    pub chores: Vec<Arc<dyn Chore>>,
    pub doorbell: Arc<dyn Doorbell>,
}

/// Why the system did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    BadSchedule(#[from] BadSchedule),
    #[error("a thread for actors could not be started; raise the limit of processes")]
    Thread(#[source] std::io::Error),
}

/// What draining left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Loops that had not finished at the deadline; what they held comes back when its lease ends.
    pub unfinished: Vec<String>,
}

/// The living system. Clones are handles to the same one.
#[derive(Clone)]
pub struct System(Arc<Parts>);

struct Parts {
    directory: Arc<Directory>,
    boards: Arc<Boards>,
    wires: Arc<Wires>,
    health: Health,
    /// In the order in which they were started.
    posts: Vec<Arc<dyn AnyPost>>,
    trusts: Arc<Post<Trusts>>,
    press: Option<Arc<Post<PrintRoom>>>,
    threads: Mutex<Vec<Arbiter>>,
}

impl System {
    /// Starts everything. Call it inside a running actix system.
    ///
    /// # Errors
    /// A chore's schedule that cannot be read, or no thread to be had. Nothing has been started then that matters.
    pub fn start(
        ports: Ports,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let mut threads = start_threads(settings.patient_threads.max(1) + 1)?;
        let health = Health::new(Arc::clone(&clock));
        let wires = Arc::new(Wires::new(
            settings.clone(),
            Arc::clone(&clock),
            Arc::clone(&ports.doorbell),
        ));
        let caretaker = Arc::new(Caretaker::new(ports.chores, Arc::clone(&wires))?);
        let around = Arc::new(surroundings(&settings, &clock, ports.mailboxes));
        let patients = threads[1..].iter().map(Arbiter::handle).collect();
        let directory = Arc::new(Directory::new(patients, Arc::clone(&around)));
        let boards = Arc::new(Boards::new(ports.boards, Arc::clone(&wires)));
        let tools = Tools {
            thread: threads[0].handle(),
            clock,
            health: health.clone(),
            settings,
            crashed: Arc::clone(&around.crashed),
        };

        let board_post = Post::open(Arc::clone(&boards), &tools);
        let heads = Post::open(
            Arc::new(Heads {
                directory: Arc::clone(&directory),
            }),
            &tools,
        );
        let mut dispatchers = BTreeMap::new();
        for outlet in ports.outlets {
            let job = Dispatcher::new(Arc::clone(&ports.dispatches), outlet, Arc::clone(&wires));
            dispatchers.insert(job.channel, Post::open(Arc::new(job), &tools));
        }
        wires.connect(Arc::clone(&board_post), dispatchers.clone());
        let mut account_mails = Vec::new();
        for (store, outlet) in ports.account_mails {
            let job = Dispatcher::of_accounts(store, outlet, Arc::clone(&wires));
            account_mails.push(Post::open(Arc::new(job), &tools));
        }
        let trusts = Post::open(
            Arc::new(Trusts::new(ports.cases, Arc::clone(&wires), tools.clone())),
            &tools,
        );
        let press = ports.print.map(|(store, press)| {
            Post::open(
                Arc::new(PrintRoom {
                    store,
                    press,
                    wires: Arc::clone(&wires),
                }),
                &tools,
            )
        });
        let caretaker = Post::open(caretaker, &tools);

        let mut posts: Vec<Arc<dyn AnyPost>> = vec![board_post, heads];
        posts.extend(
            dispatchers
                .into_values()
                .map(|post| post as Arc<dyn AnyPost>),
        );
        posts.extend(
            account_mails
                .into_iter()
                .map(|post| post as Arc<dyn AnyPost>),
        );
        posts.push(Arc::clone(&trusts) as Arc<dyn AnyPost>);
        posts.extend(
            press
                .iter()
                .map(|post| Arc::clone(post) as Arc<dyn AnyPost>),
        );
        posts.push(caretaker);
        warden::start(
            &tools,
            posts.clone(),
            Arc::clone(&trusts),
            Arc::clone(&directory),
            Arc::clone(&around),
            Arc::clone(&wires),
        );
        threads.shrink_to_fit();
        Ok(Self(Arc::new(Parts {
            directory,
            boards,
            wires,
            health,
            posts,
            trusts,
            press,
            threads: Mutex::new(threads),
        })))
    }

    /// Seats one open tab at a mailbox.
    ///
    /// # Errors
    /// See [`AttachError`]: most say "come back later".
    pub async fn attach(
        &self,
        patient: PatientId,
        attach: Attach,
    ) -> Result<Attached, AttachError> {
        self.0.directory.attach(patient, attach).await
    }

    /// Makes an attachment live again whose session had answered `Full`; `since` is the last event it has taken.
    ///
    /// # Errors
    /// The attachment is over then: attach anew, with the cursor.
    pub async fn resume(
        &self,
        attachment: Attachment,
        since: Seq,
    ) -> Result<Attached, AttachError> {
        self.0.directory.resume(attachment, since).await
    }

    /// Seats one staff tab at a trust's board; it is told to read at once.
    ///
    /// # Errors
    /// [`AttachError::Busy`] where too many look, [`AttachError::Draining`] where the node goes.
    pub fn attach_board(
        &self,
        trust: TrustId,
        session: Arc<dyn SessionHandle>,
    ) -> Result<BoardSeat, AttachError> {
        if self.0.wires.is_stopping() {
            return Err(AttachError::Draining);
        }
        let seat = self.0.boards.attach(trust, session)?;
        self.0.wires.poke_board(trust);
        Ok(seat)
    }

    /// Passes committed events to whoever looks at their mailboxes on this node. Repeats and gaps do no harm.
    pub fn deliver(&self, events: Vec<Event>) {
        self.0.directory.deliver(events);
    }

    /// Takes a withdrawn grant's views away on this node before it returns. Call it after the commit.
    ///
    /// Answers how many views ended here. Other nodes follow within a second, or when their lease ends.
    pub fn revoke(&self, patient: PatientId, grant: GrantId, version: GrantsVersion) -> usize {
        self.0.directory.revoke(patient, grant, version)
    }

    /// The circle has changed in another way; carers follow with the new rights.
    pub fn grants_changed(&self, patient: PatientId, version: GrantsVersion) {
        self.0.directory.grants_changed(patient, version);
    }

    /// A case of this trust has become due.
    pub fn poke_cases(&self, trust: TrustId) {
        if !self.0.trusts.job().poke(trust) {
            self.0.trusts.poke();
        }
    }

    /// A message of this channel has become due.
    pub fn poke_dispatch(&self, channel: Channel) {
        self.0.wires.poke_dispatch(channel);
    }

    /// A cut-off has passed, or the print house has written.
    pub fn poke_press(&self) {
        if let Some(press) = &self.0.press {
            press.poke();
        }
    }

    /// What this trust's staff look at has changed.
    pub fn poke_board(&self, trust: TrustId) {
        self.0.wires.poke_board(trust);
    }

    /// When each loop last completed or failed an attempt.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.health.clone()
    }

    /// Patient actors in memory.
    #[must_use]
    pub fn patients(&self) -> usize {
        self.0.directory.len()
    }

    /// Claims nothing more, tells every session to come back within `within` elsewhere, waits as long for what is
    /// in flight, then stops every actor in reverse of the order in which it was started.
    pub async fn drain(&self, within: Duration) -> DrainReport {
        self.0.wires.stop();
        self.0.directory.close(within);
        self.0
            .boards
            .announce(&Arc::new(Push::Drain { after: within }));
        let deadline = tokio::time::Instant::now() + within;
        let supervisors = self.0.trusts.job().posts();
        let (pages, work) = self.0.posts.split_at(PAGE_POSTS);
        let mut unfinished = finish(supervisors.iter().chain(work.iter().rev()), deadline).await;
        unfinished.extend(finish(pages.iter().rev(), deadline).await);
        self.0.directory.clear();
        self.stop_threads().await;
        DrainReport { unfinished }
    }

    /// Lets the threads end; one that hangs is left to the end of the process.
    async fn stop_threads(&self) {
        let threads = std::mem::take(
            &mut *self
                .0
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for thread in threads.into_iter().rev() {
            // A turn of the loop first, in which actors without addresses stop by themselves.
            drop(tokio::time::timeout(JOIN, turn(&thread)).await);
            thread.stop();
            let joined = actix_rt::task::spawn_blocking(move || drop(thread.join()));
            drop(tokio::time::timeout(JOIN, joined).await);
        }
    }
}

/// Asks all at once, so that one that hangs does not eat the others' time; answers who had not finished.
async fn finish(
    posts: impl Iterator<Item = &Arc<dyn AnyPost>>,
    deadline: tokio::time::Instant,
) -> Vec<String> {
    let asked: Vec<_> = posts
        .map(|post| (post.name().to_owned(), post.finish()))
        .collect();
    let finished = asked.into_iter().map(|(name, finish)| async move {
        tokio::time::timeout_at(deadline, finish)
            .await
            .err()
            .map(|_elapsed| name)
    });
    futures_util::future::join_all(finished)
        .await
        .into_iter()
        .flatten()
        .collect()
}

/// The first posts, board and directory, serve open pages: they go last.
const PAGE_POSTS: usize = 2;

/// How long a thread may take to end.
const JOIN: Duration = Duration::from_secs(2);

async fn turn(thread: &Arbiter) {
    let (done, turned) = tokio::sync::oneshot::channel::<()>();
    // Dropping the sender is the answer.
    if thread.spawn(async move { drop(done) }) {
        drop(turned.await);
    }
}

fn surroundings(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    reader: Arc<dyn MailboxReader>,
) -> Surroundings {
    Surroundings {
        reader,
        lease: Lease::new(Arc::clone(clock), settings.grant_lease),
        reads: tokio::sync::Semaphore::new(settings.reads_max.max(1)),
        settings: settings.clone(),
        clock: Arc::clone(clock),
        read_failures: Seldom::default(),
        crashed: Arc::default(),
    }
}

fn start_threads(count: usize) -> Result<Vec<Arbiter>, StartError> {
    (0..count)
        .map(|_| Arbiter::try_new().map_err(StartError::Thread))
        .collect()
}

#[cfg(feature = "testing")]
impl System {
    /// Makes a patient's actor panic; `false` if there is none.
    #[must_use]
    pub fn explode_patient(&self, patient: PatientId) -> bool {
        self.0.directory.explode(patient)
    }

    /// Makes a background actor panic, by the name it has in [`System::health`]; `false` if there is none.
    #[must_use]
    pub fn explode(&self, name: &str) -> bool {
        let supervisors = self.0.trusts.job().posts();
        supervisors
            .iter()
            .chain(&self.0.posts)
            .find(|post| post.name() == name)
            .is_some_and(|post| post.explode())
    }
}
