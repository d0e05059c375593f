//! A private PostgreSQL, for when no database URL is configured: made once, started, adopted, watched, stopped.
//!
//! Survives the server: a postmaster that a killed server left behind is adopted by the next start. Only PostgreSQL
//! changes user, never the server. Blocking throughout: call it before the runtime starts, or from a blocking thread.

mod home;
mod postmaster;
mod programs;
mod running;
mod setup;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use secrecy::SecretString;

pub use home::data_home;

use self::{
    home::{Home, Passwords},
    postmaster::Keeper,
    programs::Programs,
};

/// Which cluster, and with what.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folder of this cluster. One per purpose (`run`, `demo`), so that real and invented data never meet.
    pub folder: PathBuf,
    /// Folder of PostgreSQL's programs; `None`: found.
    pub programs: Option<PathBuf>,
}

impl Options {
    /// The usual place of the cluster for this purpose.
    pub fn named(purpose: &str) -> Self {
        Self {
            folder: data_home().join(purpose),
            programs: None,
        }
    }
}

/// Why there is no private PostgreSQL. Says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Another process serves from this folder.
    #[error("another server is using {}{}", folder.display(), url.as_ref().map(|url| format!(" and answers at {url}")).unwrap_or_default())]
    InUse {
        folder: PathBuf,
        url: Option<String>,
    },
    /// No PostgreSQL on this machine.
    #[error(
        "no PostgreSQL programs found (looked in {}): run scripts/postgres-bin --fetch, set LETTERBOX_PG_BIN, or set database.url",
        looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoPrograms { looked: Vec<PathBuf> },
    /// The data belong to another major version.
    #[error(
        "the data were written by PostgreSQL {wanted}, but only {found:?} is here: set LETTERBOX_PG_BIN to version {wanted}"
    )]
    OtherVersion { wanted: u32, found: Vec<u32> },
    /// Running as root, and neither user exists.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody` to run it as"
    )]
    NoOwner,
    /// The data are there, the passwords are not.
    #[error("{} has data but no passwords for them: restore the file `passwords`, or move the folder away to start afresh", folder.display())]
    PasswordsLost { folder: PathBuf },
    /// One of PostgreSQL's programs failed.
    #[error("{program} failed ({status}): {output}")]
    Failed {
        program: &'static str,
        status: ExitStatus,
        output: String,
    },
    /// The postmaster ended or hung while it started.
    #[error("PostgreSQL did not start; the end of {}: {tail}", log.display())]
    NotStarted { log: PathBuf, tail: String },
}

/// A running private PostgreSQL. Dropping it leaves PostgreSQL running; [`Cluster::stop`] ends it.
pub struct Cluster {
    keeper: Keeper,
    passwords: Passwords,
    key_file: PathBuf,
}

impl Cluster {
    /// Makes the cluster if there is none, then adopts its postmaster or starts one, and restarts it when it dies.
    pub fn ensure(options: &Options) -> Result<Self, ClusterError> {
        let home = Home::open(&options.folder)?;
        let shared = options.folder.parent().unwrap_or(Path::new("/"));
        let programs = Programs::find(options.programs.as_deref(), shared, home.written_by())?;
        let passwords = home.passwords()?;
        let key_file = home.key_file()?;
        if !home.data().exists() {
            setup::create(&home, &programs, &passwords)?;
        }
        let keeper = Keeper::start(home, programs)?;
        Ok(Self {
            keeper,
            passwords,
            key_file,
        })
    }

    /// URL of the role that serves: owns nothing, cannot bypass row security.
    pub fn app_url(&self) -> SecretString {
        self.url("letterbox_app", &self.passwords.app, "letterbox")
    }

    /// URL of the role that owns the tables.
    pub fn migrate_url(&self) -> SecretString {
        self.url("letterbox_migrate", &self.passwords.migrate, "letterbox")
    }

    /// URL of the superuser, for backups and rescue. The server itself never uses it.
    pub fn admin_url(&self) -> SecretString {
        self.url("postgres", &self.passwords.admin, "postgres")
    }

    /// The installation's key, 32 bytes, 0600.
    pub fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// Process id of the postmaster, for the operator and for tests that kill it.
    pub fn postmaster(&self) -> Option<u32> {
        self.keeper.postmaster()
    }

    /// True if this start found the postmaster of an earlier server still running.
    pub fn adopted(&self) -> bool {
        self.keeper.adopted()
    }

    /// Leaves the address that people should open, so that a second start can show it.
    pub fn announce(&self, url: &str) -> io::Result<()> {
        self.keeper.announce(url)
    }

    /// Ends PostgreSQL: running transactions are rolled back, everything committed is on disk.
    pub fn stop(self) -> Result<(), ClusterError> {
        self.keeper.stop()
    }

    fn url(&self, role: &str, password: &str, database: &str) -> SecretString {
        format!(
            "postgres://{role}:{password}@{}/{database}",
            self.keeper.host()
        )
        .into()
    }
}
