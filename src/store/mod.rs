//! PostgreSQL, one file per group of tables. The only place with SQL; it decides nothing.
//! Every transaction is opened by [`Store::begin`] or [`Store::run`] and knows on whose behalf it acts.

pub mod accounts;
pub mod acts;
mod admin;
pub mod appointments;
pub mod audit;
mod boards;
mod case_commit;
mod case_rows;
mod cases;
pub mod change_requests;
pub mod choices;
pub mod circle;
mod circle_sweeps;
pub mod climbs;
pub mod closures;
pub mod devices;
mod dispatch_record;
mod dispatches;
pub mod disputes;
pub mod documents;
pub mod endings;
mod error;
pub mod events;
pub mod grants;
mod hiding;
pub mod history;
pub mod intake;
pub mod invitations;
pub mod keys;
pub mod ladder;
pub mod letters;
mod locks;
pub mod looks;
mod mailbox;
pub mod mails;
mod notices;
pub mod openings;
pub mod outbox;
pub mod pages;
pub mod paper;
mod paper_instead;
pub mod people;
mod poison;
pub mod policies;
mod print;
mod print_items;
mod print_out;
pub mod quarantine;
pub mod receipts;
mod reminders;
pub mod roll_out;
mod schema;
pub mod seed;
mod sessions;
pub mod sign_ins;
pub mod standing;
mod sweeps;
mod tally;
pub mod task_outcomes;
pub mod tasks;
mod tx;

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use letterbox_domain::id::{AccountId, TrustId};
use secrecy::ExposeSecret;
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::config::{DatabaseSettings, Mode};

pub use admin::recreate_database;
pub use circle::{AccountBox, Ods};
pub use error::{Retryable, StoreError};
pub use schema::{Clock, migrate, schema_fingerprint};
pub use sessions::{AccountKind, FoundSession, Idle, NewSession, Redeemed, Shown};
pub use tally::Tally;
pub use tx::{Params, Tx};

/// On whose behalf a transaction runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A signed-in person or member of staff.
    Account { account: AccountId },
    /// A hospital's system, by one of its API keys.
    TrustSystem { trust: TrustId, key: Uuid },
    /// This server itself: supervisors, dispatchers, sweeps.
    Node { node: Uuid },
    /// Nobody yet: sign-in, health.
    Anonymous,
}

impl Principal {
    /// The server on nobody's behalf: what its own loops read of everybody.
    pub const SERVER: Self = Self::Node { node: Uuid::nil() };
}

/// As written in `history.actor` and in the transaction's principal.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { account } => write!(f, "account:{account}"),
            Self::TrustSystem { trust, .. } => write!(f, "trust:{trust}"),
            Self::Node { node } => write!(f, "node:{node}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// How often a whole transaction is tried when it meets others; after that the caller hears of it.
const TRIES: u32 = 5;

/// Three pools on one database. Requests cannot take the connections that deadlines need. And a page that still holds
/// what it has read cannot take those that its own form's command waits for: whoever holds a page's connection may wait
/// for one of the others, never the other way round, so that nobody waits in a circle.
#[derive(Clone)]
pub struct Store {
    pools: Arc<Pools>,
    used: Used,
}

struct Pools {
    web: Pool,
    pages: Pool,
    scheduler: Pool,
    mode: Mode,
    policies: policies::Cache,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Used {
    Web,
    Pages,
    Scheduler,
}

impl Store {
    /// Connects, and refuses a database that this process must not serve from.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when nobody answers, [`StoreError::Unfit`] when the schema, its durability or
    /// its clock do not suit `mode`.
    pub async fn connect(settings: &DatabaseSettings, mode: Mode) -> Result<Self, StoreError> {
        let pools = Pools {
            web: pool(settings, settings.web_connections, "letterbox web")?,
            pages: pool(settings, settings.page_connections, "letterbox pages")?,
            scheduler: pool(
                settings,
                settings.scheduler_connections,
                "letterbox scheduler",
            )?,
            mode,
            policies: policies::Cache::default(),
        };
        let store = Self {
            pools: Arc::new(pools),
            used: Used::Web,
        };
        store.check().await?;
        Ok(store)
    }

    /// The same database through the connections kept for deadlines.
    #[must_use]
    pub fn scheduler(&self) -> Self {
        Self {
            pools: Arc::clone(&self.pools),
            used: Used::Scheduler,
        }
    }

    /// The same database through the connections kept for what a page reads before it is shown or its form carried out.
    #[must_use]
    pub fn pages(&self) -> Self {
        Self {
            pools: Arc::clone(&self.pools),
            used: Used::Pages,
        }
    }

    /// What kind of place this is.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.pools.mode
    }

    /// Asks again what [`Store::connect`] asked: reachable, migrated, durable, right clock.
    ///
    /// # Errors
    /// As [`Store::connect`].
    pub async fn check(&self) -> Result<(), StoreError> {
        let client = self.pool().get().await?;
        schema::check_version(&client).await?;
        schema::check_fitness(&client, self.pools.mode).await
    }

    /// Opens a transaction for `principal` in one round trip.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when no connection became free in time, [`StoreError::Unavailable`] without database.
    pub async fn begin(&self, principal: &Principal) -> Result<Tx, StoreError> {
        self.open("BEGIN", principal).await
    }

    /// Opens a read-only transaction that sees one instant throughout.
    ///
    /// # Errors
    /// As [`Store::begin`].
    pub async fn begin_snapshot(&self, principal: &Principal) -> Result<Tx, StoreError> {
        self.open("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", principal)
            .await
    }

    async fn open(&self, begin: &'static str, principal: &Principal) -> Result<Tx, StoreError> {
        let tx = Tx::new(self.pool().get().await?, Arc::clone(&self.pools));
        // Ids only, so nothing needs quoting; a parameter would cost a second round trip.
        tx.client()
            .batch_execute(&format!(
                "{begin}; SET LOCAL letterbox.principal = '{principal}'"
            ))
            .await?;
        Ok(tx)
    }

    /// Runs `work` in a transaction and commits it; the whole of it again when it met another transaction.
    ///
    /// `work` may run up to five times, so it must not do anything but talk to the database.
    ///
    /// # Errors
    /// What `work` says, or any [`StoreError`]. After [`StoreError::CommitUnknown`] re-read by key.
    pub async fn run<T, E, F, Fut>(
        &self,
        name: &'static str,
        principal: &Principal,
        work: F,
    ) -> Result<T, E>
    where
        E: From<StoreError> + Retryable,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        retried(name, || self.once(principal, &work)).await
    }

    async fn once<T, E, F, Fut>(&self, principal: &Principal, work: &F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let tx = self.begin(principal).await?;
        let done = work(tx.clone()).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// As [`Store::run`], for work that commits its transaction itself, so that COMMIT travels with the last
    /// statements. Work that returns without committing is rolled back.
    ///
    /// # Errors
    /// As [`Store::run`].
    pub async fn run_to_commit<T, E, F, Fut>(
        &self,
        name: &'static str,
        principal: &Principal,
        work: F,
    ) -> Result<T, E>
    where
        E: From<StoreError> + Retryable,
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        retried(name, || async { work(self.begin(principal).await?).await }).await
    }

    fn pool(&self) -> &Pool {
        match self.used {
            Used::Web => &self.pools.web,
            Used::Pages => &self.pools.pages,
            Used::Scheduler => &self.pools.scheduler,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("mode", &self.pools.mode)
            .finish_non_exhaustive()
    }
}

/// Tries until it is settled, or has met other transactions too often.
async fn retried<T, E: Retryable, F: Future<Output = Result<T, E>>>(
    name: &'static str,
    once: impl Fn() -> F,
) -> Result<T, E> {
    let mut tried = 1;
    loop {
        match once().await {
            Err(error) if error.is_contention() && tried < TRIES => {
                metrics::counter!("letterbox_store_retries_total", "transaction" => name)
                    .increment(1);
                pause(tried).await;
                tried += 1;
            }
            settled => return settled,
        }
    }
}

/// Full jitter: two transactions that met once should not meet again.
async fn pause(tried: u32) {
    let most = 8_u64 << tried;
    tokio::time::sleep(Duration::from_millis(rand::random_range(0..most))).await;
}

fn pool(settings: &DatabaseSettings, size: usize, name: &str) -> Result<Pool, StoreError> {
    let url = settings
        .url
        .as_ref()
        .ok_or_else(|| StoreError::Unfit("database.url is not set".to_owned()))?;
    let mut config = tokio_postgres::Config::from_str(url.expose_secret()).map_err(|_| {
        StoreError::Unfit("database.url cannot be read: postgres://user@host:port/name".to_owned())
    })?;
    config
        .application_name(name)
        .connect_timeout(settings.connect_timeout)
        .options(options(settings));
    // Verified: one empty query before each use finds connections that died while idle.
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Verified,
    };
    Pool::builder(Manager::from_config(config, NoTls, recycling))
        .max_size(size)
        .wait_timeout(Some(settings.wait))
        .create_timeout(Some(settings.connect_timeout))
        .recycle_timeout(Some(settings.connect_timeout))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Unfit(error.to_string()))
}

/// Session settings: nobody holds a lock or a snapshot for long, whatever happens to the process. A transaction of
/// ours is never idle for more than milliseconds; one whose server stands still blocks its patients' letters on every
/// other server until PostgreSQL ends it (tried: with 60 s a stopped server held up a whole trust for a minute).
///
/// Every question that the server asks has an index. A plan that was made while a table was small, and kept, would
/// scan it when it has grown (tried: a hundred letters took ten times as long within a minute), so scans are ruled
/// out rather than hoped away.
fn options(settings: &DatabaseSettings) -> String {
    format!(
        "-c timezone=UTC -c jit=off -c enable_seqscan=off -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s \
         -c statement_timeout={}ms",
        settings.statement_timeout.as_millis()
    )
}

#[cfg(test)]
mod tests;
