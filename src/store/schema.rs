//! The schema's version: migrating, and refusing to serve on a schema that this binary does not understand.
//! Migrations only expand, so a server one version behind keeps working where the newer one says so.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Client, NoTls};

use super::StoreError;
use crate::config::Mode;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Which `app_now()` a database gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The transaction's time.
    Real,
    /// The transaction's time plus the row of `clock_offset`: for tests, demonstrations and nothing else.
    Movable,
}

/// Any number that nobody else locks: it keeps two migrating processes apart.
const MIGRATION_LOCK: i64 = 0x4C42_4D49_4752;

const MOVABLE_CLOCK: &str = "
    INSERT INTO clock_offset DEFAULT VALUES ON CONFLICT DO NOTHING;
    CREATE OR REPLACE FUNCTION app_now() RETURNS timestamptz
        LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT now() + (SELECT ahead FROM clock_offset) $$;";

const APPLIED: &str = "SELECT version, checksum FROM refinery_schema_history ORDER BY version";
const COMPATIBLE: &str = "SELECT version, oldest_server FROM schema_compat";

/// Brings the database at `url` (of the owning role) to this binary's schema.
///
/// Two processes may call it at once: the second waits for the first. A database that is newer, but declares
/// itself compatible with this binary, is left as it is.
///
/// # Errors
/// [`StoreError::Unfit`] when a migration fails, was changed after it ran, or the database is too new.
pub async fn migrate(url: &SecretString, clock: Clock) -> Result<(), StoreError> {
    let (mut client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls).await?;
    let driver = tokio::spawn(connection);
    let migrated = migrate_locked(&mut client, clock).await;
    drop(client);
    if let Ok(Err(error)) = driver.await {
        tracing::debug!(error = %StoreError::from(error), "the migrating connection ended badly");
    }
    migrated
}

async fn migrate_locked(client: &mut Client, clock: Clock) -> Result<(), StoreError> {
    client
        .execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK])
        .await?;
    let known = embedded::migrations::runner();
    let bookkeeping = client
        .query_one(
            "SELECT to_regclass('refinery_schema_history') IS NOT NULL",
            &[],
        )
        .await?;
    let newer = bookkeeping.get::<_, bool>(0) && newest_applied(client).await? > newest_known();
    if newer {
        check_version(client).await?;
    } else {
        known
            .run_async(client)
            .await
            .map_err(|error| StoreError::Unfit(migration_failed(&error)))?;
    }
    if clock == Clock::Movable {
        client.batch_execute(MOVABLE_CLOCK).await?;
    }
    Ok(())
}

/// The chain of causes; migrations hold no personal data.
fn migration_failed(error: &refinery::Error) -> String {
    let mut told = format!("migration failed: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        told.push_str(": ");
        told.push_str(&next.to_string());
        cause = next.source();
    }
    told
}

async fn newest_applied(client: &Client) -> Result<i32, StoreError> {
    let row = client
        .query_one(
            "SELECT coalesce(max(version), 0) FROM refinery_schema_history",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

/// One string that changes whenever a migration does.
#[must_use]
pub fn schema_fingerprint() -> String {
    let known = embedded::migrations::runner();
    known
        .get_migrations()
        .iter()
        .map(|migration| format!("{migration}={};", migration.checksum()))
        .collect()
}

fn newest_known() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

/// Whether this binary may serve on the schema it finds.
///
/// # Errors
/// [`StoreError::Unfit`] with what to do: migrate first, or start a newer server.
pub(super) async fn check_version(client: &Client) -> Result<(), StoreError> {
    let applied: BTreeMap<i32, String> = client
        .query(APPLIED, &[])
        .await?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let compatible: BTreeMap<i32, i32> = client
        .query(COMPATIBLE, &[])
        .await?
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let known: BTreeMap<i32, String> = embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| (migration.version(), migration.checksum().to_string()))
        .collect();
    judge(&known, &applied, &compatible).map_err(StoreError::Unfit)
}

fn judge(
    known: &BTreeMap<i32, String>,
    applied: &BTreeMap<i32, String>,
    compatible: &BTreeMap<i32, i32>,
) -> Result<(), String> {
    for (version, checksum) in known {
        match applied.get(version) {
            None => {
                return Err(format!(
                    "the database lacks migration {version}: run `letterbox migrate` first"
                ));
            }
            Some(found) if found != checksum => {
                return Err(format!(
                    "migration {version} of the database is not the one of this server"
                ));
            }
            Some(_) => {}
        }
    }
    let newest = known.keys().next_back().copied().unwrap_or(0);
    let unknown = applied.keys().filter(|version| **version > newest);
    for version in unknown {
        if compatible
            .get(version)
            .is_none_or(|oldest| *oldest > newest)
        {
            return Err(format!(
                "the database is at version {version}, which this server (version {newest}) does not understand: \
                 start a newer server"
            ));
        }
    }
    Ok(())
}

/// Refuses a database that could lose an acknowledged letter or be told a wrong time.
///
/// # Errors
/// [`StoreError::Unfit`] with the setting to change.
pub(super) async fn check_fitness(client: &Client, mode: Mode) -> Result<(), StoreError> {
    if !matches!(mode, Mode::Test | Mode::Bench) {
        check_durability(client).await?;
    }
    if !mode.is_sandbox() {
        check_clock(client).await?;
    }
    check_role(client).await
}

/// The row policies bind neither a superuser nor the tables' owner: served as one of those, there is no second wall.
async fn check_role(client: &Client) -> Result<(), StoreError> {
    let sql = "SELECT rolsuper OR rolbypassrls OR pg_has_role(oid, (SELECT relowner FROM pg_class
        WHERE oid = 'letters'::regclass), 'MEMBER') FROM pg_roles WHERE rolname = current_user";
    if client.query_one(sql, &[]).await?.get::<_, bool>(0) {
        return Err(StoreError::Unfit(
            "database.url names a role that may see past the row policies: serve as a role that only is a member of letterbox_app".to_owned(),
        ));
    }
    Ok(())
}

async fn check_durability(client: &Client) -> Result<(), StoreError> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let row = client
            .query_one("SELECT current_setting($1)", &[&setting])
            .await?;
        if row.get::<_, &str>(0) == "off" {
            return Err(StoreError::Unfit(format!(
                "the database runs with {setting} = off and would lose letters in a crash: switch it on"
            )));
        }
    }
    Ok(())
}

pub(super) async fn check_clock(client: &Client) -> Result<(), StoreError> {
    let row = client
        .query_one(
            "SELECT prosrc LIKE '%clock_offset%' FROM pg_proc WHERE proname = 'app_now'",
            &[],
        )
        .await?;
    if row.get::<_, bool>(0) {
        return Err(StoreError::Unfit(
            "the clock of this database can be moved: it belongs to a test or demonstration, not to patients".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(list: &[i32]) -> BTreeMap<i32, String> {
        list.iter()
            .map(|version| (*version, format!("sum{version}")))
            .collect()
    }

    #[test]
    fn a_newer_schema_is_served_only_when_it_says_so() {
        let known = versions(&[1, 2]);
        let newer = versions(&[1, 2, 3]);
        assert_eq!(judge(&known, &known, &BTreeMap::new()), Ok(()));
        assert_eq!(judge(&known, &newer, &BTreeMap::from([(3, 2)])), Ok(()));
        assert!(
            judge(&known, &newer, &BTreeMap::from([(3, 3)])).is_err(),
            "needs a server of version 3"
        );
        assert!(
            judge(&known, &newer, &BTreeMap::new()).is_err(),
            "unknown newer schema"
        );
        assert!(
            judge(&newer, &known, &BTreeMap::new()).is_err(),
            "not migrated yet"
        );
    }

    #[test]
    fn a_rewritten_migration_is_noticed() {
        let mut rewritten = versions(&[1, 2]);
        rewritten.insert(2, "other".to_owned());
        assert!(judge(&versions(&[1, 2]), &rewritten, &BTreeMap::new()).is_err());
    }
}
