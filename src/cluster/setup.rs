//! Making a cluster: `initdb`, then roles and database in single-user mode, then one rename. A crash leaves nothing.

use std::{
    fs::{self, Permissions},
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use super::{ClusterError, Home, Passwords, Programs, home::at};

/// Written once beside the data; what may change between starts stands in the file it includes.
const SETTINGS: &str =
    "\n# The rest is written by letterbox at every start.\ninclude '../postgres.conf'\n";

/// Every role needs its password, on the socket too: other users of this machine can reach it.
const ACCESS: &str = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

pub(super) fn create(
    home: &Home,
    programs: &Programs,
    passwords: &Passwords,
) -> Result<(), ClusterError> {
    let draft = home.folder.join("postgres.new");
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(at(&draft))?;
    }
    fs::create_dir(&draft).map_err(at(&draft))?;
    home.hand_over(&draft)?;

    let mut initdb = as_owner(home, programs.command("initdb"));
    initdb
        .args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "-D",
        ])
        .arg(&draft);
    // Replaced by ACCESS below, before anything listens.
    initdb.args(["-A", "reject"]);
    feed("initdb", initdb, "")?;
    append(&draft.join("postgresql.conf"), SETTINGS)?;
    fs::write(draft.join("pg_hba.conf"), ACCESS).map_err(at(&draft))?;

    // Single-user mode reads one statement a line; the configuration that it would include is not there yet.
    let mut single = as_owner(home, programs.command("postgres"));
    single
        .arg("--single")
        .arg("-D")
        .arg(&draft)
        .args(["-c", "exit_on_error=on", "postgres"]);
    write_settings(home, 0)?;
    feed("postgres --single", single, &statements(passwords))?;
    fs::rename(&draft, home.data()).map_err(at(&draft))
}

/// The settings of the next start. `port` names the socket and, where the path is too long for one, the TCP port.
pub(super) fn write_settings(home: &Home, port: u16) -> Result<(), ClusterError> {
    let path = home.folder.join("postgres.conf");
    let listen = match home.socket_folder() {
        Some(folder) => format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\n",
            quoted(&folder)
        ),
        None => "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n".to_owned(),
    };
    let port = if port == 0 {
        String::new()
    } else {
        format!("port = {port}\n")
    };
    // Messages without details and statements: both can hold what patients' rows hold.
    let rest = "timezone = 'UTC'\nlog_timezone = 'UTC'\nmax_connections = 100\n\
        log_error_verbosity = terse\nlog_min_error_statement = panic\n";
    fs::write(&path, format!("{listen}{port}{rest}")).map_err(at(&path))?;
    fs::set_permissions(&path, Permissions::from_mode(0o644)).map_err(at(&path))
}

pub(super) fn as_owner(home: &Home, mut command: Command) -> Command {
    if let Some(owner) = home.owner {
        command.uid(owner.uid).gid(owner.gid);
    }
    // A working folder that its user may enter; and not our environment, which may hold secrets or PG* variables.
    command
        .current_dir(&home.folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8");
    command
}

fn statements(passwords: &Passwords) -> String {
    let Passwords {
        admin,
        migrate,
        app,
    } = passwords;
    format!(
        "ALTER ROLE postgres PASSWORD '{admin}'\n\
         CREATE ROLE letterbox_migrate LOGIN PASSWORD '{migrate}'\n\
         CREATE ROLE letterbox_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{app}'\n\
         CREATE DATABASE letterbox OWNER letterbox_migrate\n\
         REVOKE CONNECT ON DATABASE letterbox FROM PUBLIC\n\
         GRANT CONNECT ON DATABASE letterbox TO letterbox_app\n"
    )
}

fn feed(program: &'static str, mut command: Command, input: &str) -> Result<(), ClusterError> {
    let io = |source| ClusterError::Io {
        path: program.into(),
        source,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that fails early closes its input; its own words below say more than the broken pipe.
        let _ignored: Result<(), _> = stdin.write_all(input.as_bytes());
    }
    let answer = child.wait_with_output().map_err(io)?;
    let said = String::from_utf8_lossy(&answer.stderr);
    // Single-user mode goes on after an error and still exits with 0.
    if answer.status.success() && !said.contains("ERROR:") && !said.contains("FATAL:") {
        return Ok(());
    }
    Err(ClusterError::Failed {
        program,
        status: answer.status,
        output: said.trim().to_owned(),
    })
}

fn append(path: &Path, text: &str) -> Result<(), ClusterError> {
    let write = || {
        fs::OpenOptions::new()
            .append(true)
            .open(path)?
            .write_all(text.as_bytes())
    };
    write().map_err(at(path))
}

/// For a value between single quotes in postgresql.conf.
fn quoted(path: &Path) -> String {
    path.display().to_string().replace('\'', "''")
}
