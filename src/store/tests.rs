//! The store's own promises: retries, roll-backs, pools, start-up guards. Letters have tests of their own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::testing::TestDb;

const WAIT: Duration = Duration::from_secs(20);

fn node() -> Principal {
    Principal::Node {
        node: Uuid::now_v7(),
    }
}

#[tokio::test]
async fn a_transaction_knows_its_principal_and_a_dropped_one_leaves_nothing() {
    let db = TestDb::new().await;
    let principal = node();
    let tx = db.store().begin(&principal).await.expect("begins");
    let row = tx
        .query_one("SELECT current_setting('letterbox.principal')", &[])
        .await
        .expect("set");
    assert_eq!(row.get::<_, String>(0), principal.to_string());
    tx.execute(
        "INSERT INTO nodes (id, name) VALUES ($1, 'gone')",
        &[&Uuid::now_v7()],
    )
    .await
    .expect("inserts");
    drop(tx);
    let tx = db.store().begin(&principal).await.expect("begins again");
    let row = tx
        .query_one("SELECT count(*) FROM nodes", &[])
        .await
        .expect("counts");
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_failed_statement_makes_the_commit_fail_too() {
    let db = TestDb::new().await;
    let tx = db.store().begin(&node()).await.expect("begins");
    let failed = tx.query("SELECT 1 / 0", &[]).await;
    assert!(
        matches!(failed, Err(StoreError::Refused { .. })),
        "{failed:?}"
    );
    assert!(
        matches!(tx.commit().await, Err(StoreError::Refused { .. })),
        "a silent rollback is not a commit"
    );
}

#[tokio::test]
async fn two_transactions_that_deadlock_both_succeed_in_the_end() {
    let db = TestDb::new().await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    db.superuser()
        .await
        .execute(
            "INSERT INTO nodes (id, name) VALUES ($1, '0'), ($2, '0')",
            &[&first, &second],
        )
        .await
        .expect("two rows");
    let tries = AtomicU32::new(0);
    let met = tokio::sync::Barrier::new(2);
    let bump = |a: Uuid, b: Uuid| {
        let (store, tries, met) = (db.store().clone(), &tries, &met);
        async move {
            store
                .run("test.deadlock", &node(), |tx| async move {
                    let sql = "UPDATE nodes SET name = (name::integer + 1)::text WHERE id = $1";
                    tx.execute(sql, &[&a]).await?;
                    if tries.fetch_add(1, Ordering::SeqCst) < 2 {
                        met.wait().await; // only the first round is choreographed
                    }
                    tx.execute(sql, &[&b]).await?;
                    Ok::<_, StoreError>(())
                })
                .await
        }
    };
    let both = async { tokio::join!(bump(first, second), bump(second, first)) };
    let both = tokio::time::timeout(WAIT, both)
        .await
        .expect("nobody waits for ever");
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert!(
        tries.load(Ordering::SeqCst) > 2,
        "one of them was the victim and tried again"
    );
    let row = db
        .superuser()
        .await
        .query_one("SELECT min(name), max(name) FROM nodes", &[])
        .await
        .expect("reads");
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("2", "2"));
}

#[tokio::test]
async fn deadlines_have_connections_when_requests_have_taken_all_of_theirs() {
    let db = TestDb::with(&[
        ("database.web_connections", "2"),
        ("database.wait", "100ms"),
    ])
    .await;
    let hogs = [
        db.store().begin(&node()).await,
        db.store().begin(&node()).await,
    ];
    assert!(hogs.iter().all(Result::is_ok));
    let refused = db.store().begin(&node()).await.map(|_| ());
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    let tx = db
        .store()
        .scheduler()
        .begin(&node())
        .await
        .expect("the scheduler's own pool");
    tx.query_one("SELECT 1", &[]).await.expect("works");
    drop(hogs);
    db.store().begin(&node()).await.expect("served again");
}

/// Every form's handler holds what its page has read while its command runs.
#[tokio::test]
async fn as_many_forms_as_there_are_connections_do_not_wait_for_each_other() {
    let db = TestDb::with(&[
        ("database.web_connections", "2"),
        ("database.page_connections", "2"),
        ("database.wait", "100ms"),
    ])
    .await;
    let pages = db.store().pages();
    let read = [
        pages.begin_snapshot(&node()).await,
        pages.begin_snapshot(&node()).await,
    ];
    assert!(read.iter().all(Result::is_ok));
    for _ in 0..2 {
        let tx = db.store().begin(&node()).await.expect("a command's own");
        tx.commit().await.expect("it is carried out");
    }
    let third = pages.begin_snapshot(&node()).await.map(|_| ());
    assert!(matches!(third, Err(StoreError::Busy)), "{third:?}");
}

#[tokio::test]
async fn a_killed_connection_is_replaced_at_the_next_use() {
    let db = TestDb::new().await;
    let tx = db.store().begin(&node()).await.expect("begins");
    let pid: i32 = tx
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .expect("a pid")
        .get(0);
    db.superuser()
        .await
        .execute("SELECT pg_terminate_backend($1, 5000)", &[&pid])
        .await
        .expect("killed");
    let cut = tx.query("SELECT 1", &[]).await;
    assert!(matches!(cut, Err(StoreError::Unavailable(_))), "{cut:?}");
    drop(tx);
    let tx = db.store().begin(&node()).await.expect("a fresh connection");
    tx.query_one("SELECT 1", &[]).await.expect("works");
}

#[tokio::test]
async fn the_clock_of_a_test_database_can_be_moved_and_production_refuses_such_a_clock() {
    let db = TestDb::new().await;
    db.pass(Duration::from_secs(3600)).await;
    let tx = db.store().begin(&node()).await.expect("begins");
    let row = tx
        .query_one("SELECT extract(epoch FROM app_now() - now())::float8", &[])
        .await
        .expect("reads");
    assert!((row.get::<_, f64>(0) - 3600.0).abs() < 0.001);
    let refused = schema::check_clock(&db.superuser().await).await;
    assert!(
        matches!(&refused, Err(StoreError::Unfit(why)) if why.contains("clock")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn production_and_the_demonstration_refuse_a_database_that_may_lose_commits() {
    let db = TestDb::new().await;
    let hasty = format!("ALTER DATABASE {} SET synchronous_commit = off", db.name());
    db.superuser()
        .await
        .batch_execute(&hasty)
        .await
        .expect("set");
    for mode in [Mode::Production, Mode::Demo] {
        let refused = Store::connect(&db.settings().database, mode).await;
        assert!(
            matches!(&refused, Err(StoreError::Unfit(why)) if why.contains(" = off")),
            "{refused:?}"
        );
    }
    Store::connect(&db.settings().database, Mode::Test)
        .await
        .expect("tests may");
}

#[tokio::test]
async fn a_server_serves_on_a_newer_schema_only_when_that_declares_itself_compatible() {
    let db = TestDb::new().await;
    let newest: i32 = db
        .superuser()
        .await
        .query_one("SELECT max(version) FROM refinery_schema_history", &[])
        .await
        .expect("reads")
        .get(0);
    let newer = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
                 VALUES ($1, 'noop', '2026-11-22T00:00:00Z', '1')";
    db.superuser()
        .await
        .execute(newer, &[&(newest + 1)])
        .await
        .expect("one migration more");
    let refused = db.store().check().await;
    assert!(
        matches!(&refused, Err(StoreError::Unfit(why)) if why.contains("newer server")),
        "{refused:?}"
    );
    let url = secrecy::SecretString::from(db.migrate_url());
    assert!(
        migrate(&url, Clock::Movable).await.is_err(),
        "an old binary does not touch a schema it does not know"
    );

    let compatible = "INSERT INTO schema_compat (version, oldest_server) VALUES ($1, $2)";
    db.superuser()
        .await
        .execute(compatible, &[&(newest + 1), &newest])
        .await
        .expect("declared");
    db.store().check().await.expect("serves");
    migrate(&url, Clock::Movable).await.expect("nothing to do");
}

#[tokio::test]
async fn two_processes_may_migrate_at_once() {
    let db = TestDb::new().await;
    db.superuser()
        .await
        .batch_execute(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION letterbox_migrate",
        )
        .await
        .expect("empty again");
    let url = secrecy::SecretString::from(db.migrate_url());
    let (first, second) = tokio::join!(migrate(&url, Clock::Real), migrate(&url, Clock::Real));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    Store::connect(&db.settings().database, Mode::Test)
        .await
        .expect("migrated once");
}

#[tokio::test]
async fn the_servers_role_cannot_rewrite_what_happened() {
    let db = TestDb::new().await;
    for forbidden in [
        "UPDATE history SET kind = 'x'",
        "DELETE FROM history",
        "UPDATE audit SET allowed = true",
        "DELETE FROM audit",
        "DELETE FROM attempts",
        "UPDATE refinery_schema_history SET name = 'x'",
        "INSERT INTO schema_compat VALUES (9, 1)",
        "DROP TABLE letters",
    ] {
        let tx = db.store().begin(&node()).await.expect("begins");
        let done = tx.execute(forbidden, &[]).await;
        assert!(
            matches!(&done, Err(StoreError::Refused { code, .. }) if code == "42501"),
            "{forbidden}: {done:?}"
        );
    }
}
