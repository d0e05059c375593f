//! Databases for tests: one per test, cloned from a migrated template, dropped with the value.
//! Servers never call it, so it is not linked into them; a feature would only make every build happen twice.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};
use url_parts::UrlParts;

mod hospital;
mod proxy;

pub use hospital::{Hospital, Patient, test_number};
pub use proxy::Proxy;

use crate::config::Settings;
use crate::store::{Clock, Store, StoreError, migrate, schema_fingerprint};

/// A stand-in for one of our child processes: a shell script, so that hanging and dying can be scripted.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn program(script: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::temp_dir().join(format!("letterbox-child-{}", uuid::Uuid::new_v4()));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("the script is written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("the script is executable");
    path
}

/// Names the cluster; a superuser's URL.
pub const URL_VARIABLE: &str = "LETTERBOX_TEST_DATABASE_URL";

/// Any number: keeps test processes apart while one of them makes the roles and the template.
const TEMPLATE_LOCK: i64 = 0x4C42_5445_5354;

const ROLES: &str = "
    DO $$
    DECLARE wanted text;
    BEGIN
        FOREACH wanted IN ARRAY ARRAY['letterbox_migrate', 'letterbox_app'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I LOGIN', wanted);
            ELSE
                EXECUTE format('ALTER ROLE %I LOGIN', wanted);
            END IF;
        END LOOP;
    END
    $$";

/// Made once per process; the name of the migrated template.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A migrated, empty database of this test's own, with a clock that [`TestDb::pass`] moves.
#[derive(Debug)]
pub struct TestDb {
    base: UrlParts,
    name: String,
    settings: Settings,
    store: Store,
}

impl TestDb {
    /// A fresh database.
    ///
    /// # Panics
    /// When `LETTERBOX_TEST_DATABASE_URL` is not set or its cluster does not obey.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// As [`TestDb::new`], with a few settings replaced: `[("database.web_connections", "2")]`.
    ///
    /// # Panics
    /// As [`TestDb::new`].
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        match Self::create(settings).await {
            Ok(db) => db,
            Err(error) => panic!("no test database: {error}"),
        }
    }

    async fn create(overrides: &[(&str, &str)]) -> Result<Self, StoreError> {
        let base = UrlParts::from_environment()?;
        let template = TEMPLATE.get_or_try_init(|| make_template(&base)).await?;
        let name = format!(
            "lbt_{}_{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let admin = connect(&base.url("postgres")).await?;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            .await?;
        admin
            .batch_execute(&format!(
                "CREATE DATABASE {name} TEMPLATE {template} OWNER letterbox_migrate"
            ))
            .await?;
        let url = base.role_url("letterbox_app", &name);
        let settings = settings(&url, overrides)?;
        let store = Store::connect(&settings.database, settings.mode).await?;
        Ok(Self {
            base,
            name,
            settings,
            store,
        })
    }

    /// The store, as the server's role.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The settings of a server on this database; its mode is `test`.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The database's name within its cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// This database's URL as the server's role.
    #[must_use]
    pub fn url(&self) -> String {
        self.base.role_url("letterbox_app", &self.name)
    }

    /// This database's URL as the owning role.
    #[must_use]
    pub fn migrate_url(&self) -> String {
        self.base.role_url("letterbox_migrate", &self.name)
    }

    /// A server's store that reaches this database through a proxy.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn store_through(&self, proxy: &Proxy) -> Store {
        let url = self
            .base
            .at(&proxy.address())
            .role_url("letterbox_app", &self.name);
        let store = match settings(&url, &[]) {
            Ok(settings) => Store::connect(&settings.database, settings.mode).await,
            Err(error) => Err(error),
        };
        match store {
            Ok(store) => store,
            Err(error) => panic!("no store through the proxy: {error}"),
        }
    }

    /// `host:port` of the cluster.
    #[must_use]
    pub fn address(&self) -> &str {
        self.base.host()
    }

    /// A connection of one's own as superuser, for looking at rows and for breaking things.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub async fn superuser(&self) -> Client {
        match connect(&self.base.url(&self.name)).await {
            Ok(client) => client,
            Err(error) => panic!("no superuser connection: {error}"),
        }
    }

    /// Lets time pass for this database: every later `app_now()` is that much further on.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub async fn pass(&self, time: Duration) {
        let moved = self
            .superuser()
            .await
            .execute(
                "UPDATE clock_offset SET ahead = ahead + make_interval(secs => $1)",
                &[&time.as_secs_f64()],
            )
            .await;
        assert!(matches!(moved, Ok(1)), "the clock did not move: {moved:?}");
    }
}

impl Drop for TestDb {
    /// Drops the database on a thread of its own: a test's runtime may be ending already.
    fn drop(&mut self) {
        let (url, name) = (self.base.url("postgres"), self.name.clone());
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let Ok(admin) = connect(&url).await else { return };
                if let Err(error) = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await {
                    tracing::warn!(error = %StoreError::from(error), name, "a test database stays behind");
                }
            });
        });
        if dropping.join().is_err() {
            tracing::warn!(name = self.name, "a test database stays behind");
        }
    }
}

fn settings(url: &str, overrides: &[(&str, &str)]) -> Result<Settings, StoreError> {
    let mut all = vec![("mode", "test"), ("database.url", url)];
    all.extend_from_slice(overrides);
    Settings::with(&all).map_err(|error| StoreError::Unfit(error.to_string()))
}

/// Makes roles and template where they are missing; the template is named after the migrations it holds.
async fn make_template(base: &UrlParts) -> Result<String, StoreError> {
    let name = format!(
        "lbt_template_{}",
        &hex::encode(Sha256::digest(schema_fingerprint()))[..16]
    );
    let admin = connect(&base.url("postgres")).await?;
    admin
        .execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK])
        .await?;
    let found = admin
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
        .await?;
    if found.is_none() {
        let building = format!("{name}_building");
        admin.batch_execute(ROLES).await?;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {building} WITH (FORCE)"))
            .await?;
        admin
            .batch_execute(&format!(
                "CREATE DATABASE {building} OWNER letterbox_migrate"
            ))
            .await?;
        let as_superuser = connect(&base.url(&building)).await?;
        as_superuser
            .batch_execute("ALTER SCHEMA public OWNER TO letterbox_migrate")
            .await?;
        drop(as_superuser);
        migrate(
            &SecretString::from(base.role_url("letterbox_migrate", &building)),
            Clock::Movable,
        )
        .await?;
        admin
            .batch_execute(&format!("ALTER DATABASE {building} RENAME TO {name}"))
            .await?;
    }
    Ok(name)
}

async fn connect(url: &str) -> Result<Client, StoreError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %StoreError::from(error), "a test's connection ended");
        }
    });
    Ok(client)
}

mod url_parts {
    //! The cluster's address, for other roles and databases.

    use crate::store::StoreError;

    /// `scheme://user@host:port/database?options`, taken apart just far enough to swap user and database.
    #[derive(Clone, Debug)]
    pub(super) struct UrlParts {
        user: String,
        host: String,
        options: String,
    }

    impl UrlParts {
        pub(super) fn from_environment() -> Result<Self, StoreError> {
            let url = std::env::var(super::URL_VARIABLE).map_err(|_| {
                StoreError::Unfit(format!("run make test, or set {}", super::URL_VARIABLE))
            })?;
            Self::parse(&url).ok_or_else(|| {
                StoreError::Unfit(format!(
                    "{} must look like postgres://user@host:port/database",
                    super::URL_VARIABLE
                ))
            })
        }

        fn parse(url: &str) -> Option<Self> {
            let rest = url
                .strip_prefix("postgres://")
                .or_else(|| url.strip_prefix("postgresql://"))?;
            let (user, rest) = rest.split_once('@')?;
            let (host, rest) = rest.split_once('/')?;
            let options = rest
                .split_once('?')
                .map(|(_, options)| format!("?{options}"))
                .unwrap_or_default();
            Some(Self {
                user: user.to_owned(),
                host: host.to_owned(),
                options,
            })
        }

        /// The same cluster, reached elsewhere.
        pub(super) fn at(&self, host: &str) -> Self {
            Self {
                host: host.to_owned(),
                ..self.clone()
            }
        }

        pub(super) fn host(&self) -> &str {
            &self.host
        }

        pub(super) fn url(&self, database: &str) -> String {
            format!(
                "postgres://{}@{}/{database}{}",
                self.user, self.host, self.options
            )
        }

        /// The throwaway cluster trusts its own machine, so roles have no passwords.
        pub(super) fn role_url(&self, role: &str, database: &str) -> String {
            format!("postgres://{role}@{}/{database}{}", self.host, self.options)
        }
    }
}
