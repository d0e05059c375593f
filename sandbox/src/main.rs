//! Command line of the sandbox. Prints one JSON line with its addresses when it is ready.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use letterbox_sandbox::{Account, Pace, Settings, start};
use serde_json::json;

/// Stand-ins for the world outside: a text provider, a mail server and a print house.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address of the text provider and of the sandbox's own pages; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    http: SocketAddr,
    /// Address of the mail server.
    #[arg(long, default_value = "127.0.0.1:0")]
    smtp: SocketAddr,
    /// The journal: one JSON line per effect; made when missing, added to otherwise.
    #[arg(long)]
    journal: PathBuf,
    /// Folder in which print batches appear.
    #[arg(long)]
    post_folder: PathBuf,
    /// Folder for the print house's answers; `acks` inside the post folder unless given.
    #[arg(long)]
    acks_folder: Option<PathBuf>,
    /// How often the print house looks at its folder.
    #[arg(long, default_value_t = 50, value_name = "MS")]
    print_every_ms: u64,
    /// Account of the text provider.
    #[arg(long, default_value = "AC00000000000000000000000000000000")]
    twilio_account: String,
    /// Its auth token: the password of requests and the key of callback signatures.
    #[arg(
        long,
        env = "SANDBOX_TWILIO_AUTH_TOKEN",
        default_value = "sandbox-auth-token",
        hide_env_values = true
    )]
    twilio_auth_token: String,
    /// An API key of the account (`SK…`), accepted with its secret in place of the auth token.
    #[arg(long, requires = "twilio_api_secret")]
    twilio_api_key: Option<String>,
    #[arg(
        long,
        env = "SANDBOX_TWILIO_API_SECRET",
        requires = "twilio_api_key",
        hide_env_values = true
    )]
    twilio_api_secret: Option<String>,
    /// From a text's acceptance to `sent`.
    #[arg(long, default_value_t = 150, value_name = "MS")]
    sent_after_ms: u64,
    /// From `sent` to `delivered`.
    #[arg(long, default_value_t = 350, value_name = "MS")]
    delivered_after_ms: u64,
    /// Ends when standard input closes, so that it never outlives the process that started it.
    #[arg(long)]
    exit_with_stdin: bool,
}

impl Arguments {
    fn settings(self) -> Settings {
        let acks_folder = self
            .acks_folder
            .unwrap_or_else(|| self.post_folder.join("acks"));
        Settings {
            http: self.http,
            smtp: self.smtp,
            journal: self.journal,
            post_folder: self.post_folder,
            acks_folder,
            account: Account {
                sid: self.twilio_account,
                auth_token: self.twilio_auth_token,
                api_key: self.twilio_api_key.zip(self.twilio_api_secret),
            },
            pace: Pace {
                sent_after: Duration::from_millis(self.sent_after_ms),
                delivered_after: Duration::from_millis(self.delivered_after_ms),
            },
            print_every: Duration::from_millis(self.print_every_ms.max(1)),
        }
    }
}

#[actix_web::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let follow = arguments.exit_with_stdin;
    let running = start(arguments.settings()).await?;
    println!("{}", json!({ "http": running.http, "smtp": running.smtp }));
    until_told(follow).await?;
    running.stop().await;
    Ok(())
}

async fn until_told(follow_stdin: bool) -> Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("waiting for SIGTERM")?;
    let (closed, mut stdin) = tokio::sync::mpsc::channel::<()>(1);
    if follow_stdin {
        std::thread::spawn(move || {
            // Ends at end of file or on an error; both mean that nobody is there any more.
            drop(std::io::stdin().read_to_end(&mut Vec::new()));
            drop(closed);
        });
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
            _ = stdin.recv() => {}
        }
    } else {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    Ok(())
}
