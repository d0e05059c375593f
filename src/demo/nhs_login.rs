//! The stand-in for NHS login: a Node program of its own, started where it has been installed. Without it the
//! demonstration still runs; it only offers no "Continue with NHS Login" then.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use tokio::process::Command;

use super::child::MakeCommand;
use crate::identity::nhs_login::{CALLBACK, new_key_pem};

/// What the stand-in calls this portal.
pub(super) const CLIENT_ID: &str = "letterbox-demo";

/// Where the stand-in lies in a checkout.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sandbox/nhs_login");

/// An installed stand-in, and where it will answer.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    folder: PathBuf,
    address: SocketAddr,
    key_file: PathBuf,
}

impl StandIn {
    /// `None` where it was never installed (`make tools` does that).
    ///
    /// # Errors
    /// When the portal's key cannot be made.
    pub(super) fn find(world: &Path, address: SocketAddr) -> anyhow::Result<Option<Self>> {
        let folder = PathBuf::from(FOLDER);
        if !folder.join("node_modules/oidc-provider").is_dir() {
            return Ok(None);
        }
        let key_file = world.join("nhs-login-key.pem");
        if !key_file.exists() {
            write_key(&key_file).with_context(|| key_file.display().to_string())?;
        }
        Ok(Some(Self {
            folder,
            address,
            key_file,
        }))
    }

    pub(super) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// How it is started, for a portal at this address.
    pub(super) fn command(&self, portal: &str) -> MakeCommand {
        let redirect = format!("{portal}{CALLBACK}");
        let this = self.clone();
        Arc::new(move || {
            let mut command = Command::new("node");
            command
                .arg(this.folder.join("server.mjs"))
                .args(["--client-id", CLIENT_ID, "--redirect", &redirect])
                .arg("--client-key")
                .arg(&this.key_file)
                .args(["--port", &this.address.port().to_string()])
                // It says what a production server would have to do otherwise; this is none.
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        })
    }
}

fn write_key(path: &Path) -> anyhow::Result<()> {
    let pem = new_key_pem().context("the system gives no random numbers")?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(pem.as_bytes())?)
}
