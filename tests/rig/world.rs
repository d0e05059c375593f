//! One installation for one test: a database with made-up people, the world outside, and nodes to be started.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use letterbox::commands::seed::seed_load;
use letterbox::config::Settings;
use letterbox::store::{Clock, Principal, Store, migrate, policies};
use letterbox::testing::TestDb;
use letterbox_domain::policy::Policy;
use letterbox_domain::time::{CutOffs, Wait};
use secrecy::SecretString;
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

use super::node::{Extra, Node};
use super::outside::Outside;
use super::postgres::Postgres;

/// The database's name in a cluster of a test's own.
const DATABASE: &str = "letterbox";

static NEXT: AtomicU32 = AtomicU32::new(1);

pub(crate) struct World {
    pub(crate) outside: Outside,
    pub(crate) cast: Cast,
    place: Place,
    folder: Folder,
}

/// Where the database lives.
enum Place {
    /// A cluster that may be killed.
    Own(Postgres),
    /// A database of `make test`'s cluster, which nobody may hurt.
    Shared(Box<TestDb>),
}

/// Who is in the database.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) api_key: String,
    pub(crate) patients: Vec<Patient>,
}

/// A patient with a mailbox, signed in.
#[derive(Clone, Debug)]
pub(crate) struct Patient {
    /// The trust's id.
    pub(crate) source_id: String,
    pub(crate) nhs_number: String,
    pub(crate) mailbox: Uuid,
    pub(crate) cookie: String,
    pub(crate) email: String,
    /// Only some have one; see [`Contacts`].
    pub(crate) mobile: Option<String>,
}

/// Who can be nudged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Contacts {
    /// Everybody has a verified email address and, up to the thousand numbers that belong to nobody, a mobile.
    Everybody,
    /// Only so many of the first; the others hear by their mailbox and by post.
    First(usize),
}

/// What a test wants of its installation.
pub(crate) struct Wanted {
    pub(crate) patients: usize,
    pub(crate) contacts: Contacts,
    pub(crate) policy: Policy,
}

impl Wanted {
    pub(crate) fn patients(patients: usize) -> Self {
        Self {
            patients,
            contacts: Contacts::Everybody,
            policy: calm(),
        }
    }

    pub(crate) fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    pub(crate) fn contacts(self, contacts: Contacts) -> Self {
        Self { contacts, ..self }
    }
}

/// A policy under which nothing happens while a test runs, unless it moves the clock.
pub(crate) fn calm() -> Policy {
    Policy {
        version: 2,
        email_after: Wait::hours(24),
        text_after: Wait::hours(36),
        deadline_appointment: Wait::hours(48),
        deadline_clinic: Wait::hours(72),
        nudge_hours: None,
        ..Policy::demo()
    }
}

/// A policy under which a letter takes few seconds from publication to the doormat.
pub(crate) fn hurried() -> Policy {
    Policy {
        version: 2,
        email_after: Wait::seconds(1),
        text_after: Wait::seconds(2),
        deadline_appointment: Wait::seconds(3),
        deadline_clinic: Wait::seconds(3),
        cut_offs: CutOffs::EverySeconds(2),
        ..Policy::demo()
    }
}

impl World {
    /// On a cluster of its own that may be killed. `postgres` are lines of its configuration.
    pub(crate) async fn own(wanted: &Wanted, postgres: &str) -> Self {
        let folder = Folder::new();
        let postgres = Postgres::start_in(&folder.path, postgres).await;
        make_database(&postgres).await;
        let superuser = postgres.connect(DATABASE).await;
        let cast = seed(&postgres.url("letterbox_app", DATABASE), &superuser, wanted).await;
        Self {
            outside: Outside::start_in(&folder.path),
            cast,
            place: Place::Own(postgres),
            folder,
        }
    }

    /// On a database of the cluster that `make test` provides.
    pub(crate) async fn shared(wanted: &Wanted) -> Self {
        let folder = Folder::new();
        let db = TestDb::new().await;
        let cast = seed(&db.url(), &db.superuser().await, wanted).await;
        Self {
            outside: Outside::start_in(&folder.path),
            cast,
            place: Place::Shared(Box::new(db)),
            folder,
        }
    }

    /// A node of this installation, not started yet.
    pub(crate) fn node(&self, name: &'static str, settings: Extra<'_>) -> Node {
        self.node_at(name, &self.database_url(), settings)
    }

    /// A node that finds its database under another address, such as a proxy's.
    pub(crate) fn node_at(&self, name: &'static str, database: &str, settings: Extra<'_>) -> Node {
        Node::new(name, &self.folder.path, database, &self.outside, settings)
    }

    /// A node that is ready.
    pub(crate) async fn running(&self, name: &'static str, settings: Extra<'_>) -> Node {
        let node = self.node(name, settings);
        node.start(&[]).await;
        node
    }

    pub(crate) fn database_url(&self) -> String {
        match &self.place {
            Place::Own(postgres) => postgres.url("letterbox_app", DATABASE),
            Place::Shared(db) => db.url(),
        }
    }

    /// The cluster of this test's own.
    ///
    /// # Panics
    /// When the world is on the shared one.
    pub(crate) fn postgres(&self) -> &Postgres {
        match &self.place {
            Place::Own(postgres) => postgres,
            Place::Shared(_) => panic!("the shared cluster is everybody's"),
        }
    }

    pub(crate) async fn superuser(&self) -> Client {
        match &self.place {
            Place::Own(postgres) => postgres.connect(DATABASE).await,
            Place::Shared(db) => db.superuser().await,
        }
    }

    /// Lets time pass in the database.
    pub(crate) async fn pass(&self, seconds: u32) {
        let moved = "UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)";
        let moved = self
            .superuser()
            .await
            .execute(moved, &[&f64::from(seconds)])
            .await;
        assert_eq!(moved.expect("the clock obeys"), 1);
    }

    /// One number from the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let row = self.superuser().await.query_one(sql, &[]).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    pub(crate) fn patient(&self, index: usize) -> &Patient {
        &self.cast.patients[index]
    }

    /// Keeps the folder, with database and journals, for somebody to look at.
    pub(crate) fn leave_behind(&self) {
        self.folder.kept.store(true, Ordering::Relaxed);
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder.path
    }
}

/// Removed at the end. Others may enter: PostgreSQL may run as another user.
struct Folder {
    path: PathBuf,
    kept: AtomicBool,
}

impl Folder {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!(
            "/tmp/letterbox-rig-{}-{number}",
            std::process::id()
        ));
        fs::create_dir(&path).expect("a folder of our own");
        fs::set_permissions(&path, Permissions::from_mode(0o711)).expect("it is ours");
        fs::write(path.join("key"), [7_u8; 32]).expect("the installation's key");
        fs::set_permissions(path.join("key"), Permissions::from_mode(0o600)).expect("it is ours");
        Self {
            path,
            kept: AtomicBool::new(false),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() || self.kept.load(Ordering::Relaxed) {
            eprintln!("left for looking at: {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} stays behind: {error}", self.path.display());
        }
    }
}

async fn make_database(postgres: &Postgres) {
    let admin = postgres.connect("postgres").await;
    let statements = [
        "CREATE ROLE letterbox_migrate LOGIN",
        "CREATE ROLE letterbox_app LOGIN",
        "CREATE DATABASE letterbox OWNER letterbox_migrate",
    ];
    for sql in statements {
        admin.batch_execute(sql).await.expect("a new cluster obeys");
    }
    let owner = postgres.connect(DATABASE).await;
    owner
        .batch_execute("ALTER SCHEMA public OWNER TO letterbox_migrate")
        .await
        .expect("it obeys");
    let url = SecretString::from(postgres.url("letterbox_migrate", DATABASE));
    migrate(&url, Clock::Movable)
        .await
        .expect("an empty database takes the schema");
}

/// Writes the people, then gives the trust `policy` and the patients their contacts.
async fn seed(url: &str, superuser: &Client, wanted: &Wanted) -> Cast {
    let settings =
        Settings::with(&[("mode", "test"), ("database.url", url)]).expect("they are valid");
    let store = Store::connect(&settings.database, settings.mode)
        .await
        .expect("the database answers");
    let mut file = Vec::new();
    let cut_off = settings.channels.post.cut_off;
    seed_load(
        &store,
        wanted.patients,
        "http://127.0.0.1",
        cut_off,
        &mut file,
    )
    .await
    .expect("an empty database takes them");
    let row = superuser
        .query_one("SELECT id FROM trusts", &[])
        .await
        .expect("there is one trust");
    let tx = store
        .begin(&Principal::SERVER)
        .await
        .expect("the store answers");
    policies::insert(&tx, row.get(0), &wanted.policy)
        .await
        .expect("a valid policy");
    tx.commit().await.expect("it commits");
    let cast = read(&file, wanted);
    contacts(superuser, &cast, wanted.contacts).await;
    cast
}

fn read(file: &[u8], wanted: &Wanted) -> Cast {
    let text = std::str::from_utf8(file).expect("it is text");
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
    let text = |value: &Value, name: &str| value[name].as_str().expect("a text").to_owned();
    let api_key = text(&lines.next().expect("the first line"), "api_key");
    let patients = lines.enumerate().map(|(index, line)| {
        let source_id = text(&line, "patient");
        Patient {
            nhs_number: text(&line, "nhs_number"),
            mailbox: text(&line, "box").parse().expect("an id"),
            cookie: text(&line, "cookie"),
            email: format!("{source_id}@example.test"),
            mobile: has_mobile(index, wanted.contacts).then(|| format!("+447700900{index:03}")),
            source_id,
        }
    });
    Cast {
        api_key,
        patients: patients.collect(),
    }
}

/// 07700 900000 to 900999 are kept free for stories.
fn has_mobile(index: usize, contacts: Contacts) -> bool {
    index < 1_000 && index < first(contacts)
}

const fn first(contacts: Contacts) -> usize {
    match contacts {
        Contacts::Everybody => usize::MAX,
        Contacts::First(count) => count,
    }
}

async fn contacts(superuser: &Client, cast: &Cast, contacts: Contacts) {
    let with = "UPDATE accounts SET mobile = $2, mobile_verified_at = now() WHERE email = $1";
    for patient in cast
        .patients
        .iter()
        .filter(|patient| patient.mobile.is_some())
    {
        superuser
            .execute(with, &[&patient.email, &patient.mobile])
            .await
            .expect("the row takes it");
    }
    let silent: Vec<&str> = cast
        .patients
        .iter()
        .skip(first(contacts))
        .map(|patient| patient.email.as_str())
        .collect();
    let without =
        "UPDATE accounts SET email = NULL, email_verified_at = NULL WHERE email = ANY($1)";
    superuser
        .execute(without, &[&silent])
        .await
        .expect("the rows take it");
}
