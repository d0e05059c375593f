//! The private PostgreSQL, on the real programs: made, adopted after a kill, restarted, stopped, told apart.
//!
//! As root, PostgreSQL itself runs as another user; the last test is the same story told by a user without rights.

use std::{
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use letterbox::cluster::{Cluster, ClusterError, Options};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};

/// A cluster folder of a test's own; what runs in it is stopped at the end, whatever the test's outcome.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(PathBuf::from(format!(
            "/tmp/letterbox-cluster-{}-{name}",
            std::process::id()
        )))
    }

    fn options(&self) -> Options {
        Options {
            folder: self.0.join("run"),
            programs: None,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(cluster) = Cluster::ensure(&self.options())
            && let Err(error) = cluster.stop()
        {
            eprintln!(
                "the cluster in {} was left running: {error}",
                self.0.display()
            );
        }
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was left behind: {error}", self.0.display());
        }
    }
}

/// Runs statements and returns the first column of the last row.
async fn query(url: &SecretString, sql: &str) -> Result<Option<String>, tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let rows = client.simple_query(sql).await?;
    connection.abort();
    Ok(rows.iter().rev().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

fn ask(url: &SecretString, sql: &str) -> Option<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime
        .block_on(query(url, sql))
        .expect("the statement is answered")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::yield_now();
    }
}

fn kill(cluster: &Cluster) -> u32 {
    let pid = cluster.postmaster().expect("it runs");
    let signalled = Pid::from_raw(pid.cast_signed()).map(|pid| kill_process(pid, Signal::KILL));
    assert_eq!(signalled, Some(Ok(())));
    pid
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path)
        .expect("it exists")
        .permissions()
        .mode()
        & 0o777
}

fn a_new_cluster_is_durable_and_guarded(options: &Options) {
    let cluster = Cluster::ensure(options).expect("it starts");
    let app = "SELECT rolname || ',' || rolsuper || ',' || rolbypassrls FROM pg_roles WHERE rolname = current_user";
    assert_eq!(
        ask(&cluster.app_url(), app).as_deref(),
        Some("letterbox_app,false,false")
    );
    let owner =
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()";
    assert_eq!(
        ask(&cluster.migrate_url(), owner).as_deref(),
        Some("letterbox_migrate")
    );
    for (setting, value) in [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("listen_addresses", ""),
        ("server_encoding", "UTF8"),
        ("synchronous_commit", "on"),
        ("timezone", "UTC"),
    ] {
        assert_eq!(
            ask(&cluster.app_url(), &format!("SHOW {setting}")).as_deref(),
            Some(value),
            "{setting}"
        );
    }

    let wrong =
        cluster
            .app_url()
            .expose_secret()
            .replacen("letterbox_app:", "letterbox_app:wrong", 1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    assert!(
        runtime.block_on(query(&wrong.into(), "SELECT 1")).is_err(),
        "the socket asks for the password too"
    );

    let key = cluster.key_file();
    assert_eq!(
        (std::fs::read(key).expect("it is there").len(), mode(key)),
        (32, 0o600)
    );
    assert_eq!(mode(&options.folder.join("passwords")), 0o600);
    cluster.stop().expect("it stops");
}

#[test]
fn a_new_cluster_is_durable_guarded_by_passwords_and_run_by_somebody_without_rights() {
    let scratch = Scratch::new("new");
    a_new_cluster_is_durable_and_guarded(&scratch.options());
    if rustix::process::geteuid().is_root() {
        let owner = std::fs::metadata(scratch.options().folder.join("postgres"))
            .expect("the data are there")
            .uid();
        assert_ne!(owner, 0, "PostgreSQL does not run as root");
    }
}

#[test]
fn what_was_committed_is_there_after_a_stop_an_adoption_and_a_kill() {
    let scratch = Scratch::new("kept");
    let first = Cluster::ensure(&scratch.options()).expect("it starts");
    ask(
        &first.migrate_url(),
        "CREATE TABLE kept (n int); INSERT INTO kept VALUES (41)",
    );
    first.stop().expect("it stops");

    let second = Cluster::ensure(&scratch.options()).expect("it starts again");
    assert!(!second.adopted());
    ask(&second.migrate_url(), "INSERT INTO kept VALUES (1)");
    let pid = second.postmaster();
    // What a kill -9 leaves of a server: its lock goes, its postmaster stays.
    drop(second);

    let third = Cluster::ensure(&scratch.options()).expect("it is adopted");
    assert!(third.adopted());
    assert_eq!(third.postmaster(), pid);
    assert_eq!(
        ask(&third.migrate_url(), "SELECT sum(n) FROM kept").as_deref(),
        Some("42")
    );

    let killed = kill(&third);
    until("a new postmaster", || {
        third.postmaster().is_some_and(|pid| pid != killed)
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    until("an answer", || {
        runtime
            .block_on(query(&third.migrate_url(), "SELECT 1"))
            .is_ok()
    });
    assert_eq!(
        ask(&third.migrate_url(), "SELECT sum(n) FROM kept").as_deref(),
        Some("42")
    );
}

#[test]
fn a_cluster_in_use_is_refused_and_its_address_is_shown() {
    let scratch = Scratch::new("in-use");
    let first = Cluster::ensure(&scratch.options()).expect("it starts");
    first
        .announce("http://localhost:8123")
        .expect("the folder is writable");
    match Cluster::ensure(&scratch.options()) {
        Err(ClusterError::InUse { url, .. }) => {
            assert_eq!(url.as_deref(), Some("http://localhost:8123"))
        }
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("two servers on one cluster"),
    }
}

#[test]
fn a_postmaster_that_serves_elsewhere_is_replaced() {
    let scratch = Scratch::new("elsewhere");
    let first = Cluster::ensure(&scratch.options()).expect("it starts");
    let pid = first.postmaster().expect("it runs");
    drop(first);
    let file = scratch.options().folder.join("postgres/postmaster.pid");
    let text = std::fs::read_to_string(&file).expect("it is there");
    std::fs::write(&file, text.replace("/socket\n", "/elsewhere\n")).expect("it is ours");
    let second = Cluster::ensure(&scratch.options()).expect("it is replaced");
    assert!(!second.adopted());
    assert_ne!(second.postmaster(), Some(pid));
    assert_eq!(
        ask(&second.app_url(), "SELECT 'well'").as_deref(),
        Some("well")
    );
}

#[test]
fn a_path_too_long_for_a_socket_is_served_over_loopback() {
    let scratch = Scratch::new(&"long-".repeat(20));
    let cluster = Cluster::ensure(&scratch.options()).expect("it starts");
    assert!(cluster.app_url().expose_secret().contains("@127.0.0.1:"));
    assert_eq!(
        ask(&cluster.app_url(), "SHOW listen_addresses").as_deref(),
        Some("127.0.0.1")
    );
    cluster.stop().expect("it stops");
}

#[test]
fn data_without_passwords_are_left_alone() {
    let scratch = Scratch::new("lost");
    Cluster::ensure(&scratch.options())
        .expect("it starts")
        .stop()
        .expect("it stops");
    std::fs::remove_file(scratch.options().folder.join("passwords")).expect("it was there");
    assert!(matches!(
        Cluster::ensure(&scratch.options()),
        Err(ClusterError::PasswordsLost { .. })
    ));
    assert!(
        scratch
            .options()
            .folder
            .join("postgres/PG_VERSION")
            .exists()
    );
}

#[test]
#[ignore = "started as another user by the test below"]
fn told_by_a_user_without_rights() {
    let folder = std::env::var_os("LETTERBOX_CLUSTER_FOLDER").expect("set by the test below");
    a_new_cluster_is_durable_and_guarded(&Options {
        folder: PathBuf::from(folder).join("run"),
        programs: None,
    });
}

#[test]
fn a_user_without_rights_gets_a_cluster_too() {
    if !rustix::process::geteuid().is_root() {
        return; // Then every other test here has shown it.
    }
    const NOBODY: u32 = 65_534;
    let folder = PathBuf::from(format!(
        "/tmp/letterbox-cluster-{}-nobody",
        std::process::id()
    ));
    std::fs::create_dir(&folder).expect("the folder is new");
    // The test binary itself may lie below a folder that this user cannot enter.
    let binary = folder.join("tests");
    std::fs::copy(
        std::env::current_exe().expect("this process has one"),
        &binary,
    )
    .expect("room for a copy");
    std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may");
    let output = Command::new(&binary)
        .args(["--exact", "told_by_a_user_without_rights", "--ignored"])
        .env("LETTERBOX_CLUSTER_FOLDER", &folder)
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .expect("it can be started");
    std::fs::remove_dir_all(&folder).expect("its PostgreSQL has stopped");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
