//! The settings as types. What each means, its unit and its default stand in `config/default.toml`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrono::NaiveTime;
use secrecy::SecretString;
use serde::Deserialize;

use super::values::{self, Mode, Network};

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What this installation is for.
    pub mode: Mode,
    /// HTTP and sockets.
    pub server: ServerSettings,
    /// PostgreSQL, ours or somebody's.
    pub database: DatabaseSettings,
    /// The installation's own key.
    pub secrets: SecretSettings,
    /// What the pages say about the portal.
    pub portal: PortalSettings,
    /// How long people stay signed in.
    pub sessions: SessionSettings,
    /// Letters as pictures, for public computers.
    pub drawing: DrawingSettings,
    /// Sign-in with NHS login.
    pub nhs_login: NhsLoginSettings,
    /// Who may join.
    pub joining: JoiningSettings,
    /// What trusts may send, and how much of it.
    pub intake: IntakeSettings,
    /// The confined readers of uploaded PDFs.
    pub inspector: InspectorSettings,
    /// Browsers' sockets.
    pub live: LiveSettings,
    /// Claiming overdue cases.
    pub deadline: DeadlineSettings,
    /// Claiming and sending messages.
    pub dispatch: DispatchSettings,
    /// The ways out of the building.
    pub channels: ChannelSettings,
    /// The demonstration.
    pub demo: DemoSettings,
    /// Logs.
    pub telemetry: TelemetrySettings,
}

/// HTTP and sockets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    pub next_free_port: bool,
    pub public_url: String,
    pub service_name: String,
    #[serde(deserialize_with = "values::networks")]
    pub trusted_proxies: Vec<Network>,
    #[serde(deserialize_with = "values::strings")]
    pub allowed_origins: Vec<String>,
    pub workers: usize,
    pub max_connections: usize,
    #[serde(deserialize_with = "values::duration")]
    pub head_timeout: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub drain: Duration,
    #[serde(deserialize_with = "values::networks")]
    pub metrics_from: Vec<Network>,
}

/// PostgreSQL, ours or somebody's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    #[serde(deserialize_with = "values::secret")]
    pub url: Option<SecretString>,
    #[serde(deserialize_with = "values::secret")]
    pub migrate_url: Option<SecretString>,
    #[serde(deserialize_with = "values::path")]
    pub programs: Option<PathBuf>,
    #[serde(deserialize_with = "values::path")]
    pub data: Option<PathBuf>,
    pub web_connections: usize,
    pub page_connections: usize,
    pub scheduler_connections: usize,
    #[serde(deserialize_with = "values::duration")]
    pub wait: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub connect_timeout: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub statement_timeout: Duration,
}

/// The installation's own key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSettings {
    #[serde(deserialize_with = "values::path")]
    pub key_file: Option<PathBuf>,
}

/// What the pages say about the portal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortalSettings {
    #[serde(deserialize_with = "values::text")]
    pub banner: Option<String>,
    pub help_email: String,
    pub area: String,
    pub quick_exit_url: String,
}

/// How long people stay signed in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    #[serde(deserialize_with = "values::duration")]
    pub idle: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub idle_public: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub absolute: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub absolute_public: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub warning: Duration,
}

/// Sign-in with NHS login.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NhsLoginSettings {
    #[serde(deserialize_with = "values::text")]
    pub issuer: Option<String>,
    pub client_id: String,
    #[serde(deserialize_with = "values::path")]
    pub key_file: Option<PathBuf>,
    #[serde(deserialize_with = "values::text")]
    pub key_id: Option<String>,
    #[serde(deserialize_with = "values::strings")]
    pub vtr: Vec<String>,
    #[serde(deserialize_with = "values::strings")]
    pub scopes: Vec<String>,
    pub pkce: bool,
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub metadata_ttl: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub keys_interval: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub visit: Duration,
    pub begins_per_second: u32,
}

/// Who may join.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoiningSettings {
    #[serde(deserialize_with = "values::path")]
    pub practices_file: Option<PathBuf>,
    #[serde(deserialize_with = "values::duration")]
    pub decide_within: Duration,
}

/// Letters as pictures, for public computers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawingSettings {
    pub children: usize,
    #[serde(deserialize_with = "values::duration")]
    pub patience: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub wall: Duration,
    pub memory_bytes: u64,
    pub max_pages: usize,
}

/// What trusts may send, and how much of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeSettings {
    pub max_pdf_bytes: usize,
    pub max_json_bytes: usize,
    pub max_batch: usize,
    pub queue_letters: usize,
    pub requests_per_second: u32,
    pub burst: u32,
}

/// The confined readers of uploaded PDFs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectorSettings {
    pub children: usize,
    pub files_per_child: u32,
    #[serde(deserialize_with = "values::duration")]
    pub wall: Duration,
    pub memory_bytes: u64,
    pub max_pages: u32,
    pub queue_files: usize,
}

/// Browsers' sockets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveSettings {
    #[serde(deserialize_with = "values::duration")]
    pub ping: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub silence: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub hello: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub write_deadline: Duration,
    pub max_frame_bytes: usize,
    pub messages_per_second: u32,
    pub burst: u32,
    pub sessions_per_account: usize,
    #[serde(deserialize_with = "values::duration")]
    pub ticket_ttl: Duration,
    pub tickets_per_second: u32,
    pub window: u16,
    pub catch_up: u16,
    #[serde(deserialize_with = "values::duration")]
    pub grant_lease: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub heads_interval: Duration,
    #[serde(deserialize_with = "values::duration")]
    pub retire_after: Duration,
}

/// Claiming overdue cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadlineSettings {
    #[serde(deserialize_with = "values::duration")]
    pub lease: Duration,
    pub claim_batch: u16,
    #[serde(deserialize_with = "values::duration")]
    pub poll: Duration,
}

/// Claiming and sending messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispatchSettings {
    #[serde(deserialize_with = "values::duration")]
    pub lease: Duration,
    pub claim_batch: u16,
    #[serde(deserialize_with = "values::duration")]
    pub poll: Duration,
    #[serde(deserialize_with = "values::durations")]
    pub retry_after: Vec<Duration>,
    #[serde(deserialize_with = "values::duration")]
    pub timeout: Duration,
}

/// The ways out of the building.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSettings {
    /// Mail by SMTP.
    pub email: EmailSettings,
    /// Texts by Twilio's contract.
    pub text: TextSettings,
    /// Paper by a folder shared with the print house.
    pub post: PostSettings,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// In the clear first, then upgraded or broken off.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Not at all: a relay on this machine, or the sandbox.
    None,
}

/// Mail by SMTP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailSettings {
    #[serde(deserialize_with = "values::text")]
    pub host: Option<String>,
    pub port: u16,
    pub tls: SmtpTls,
    #[serde(deserialize_with = "values::text")]
    pub username: Option<String>,
    #[serde(deserialize_with = "values::secret")]
    pub password: Option<SecretString>,
    pub from: String,
    #[serde(deserialize_with = "values::text")]
    pub reply_to: Option<String>,
}

/// Texts by Twilio's contract.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSettings {
    pub base_url: String,
    #[serde(deserialize_with = "values::text")]
    pub account_sid: Option<String>,
    #[serde(deserialize_with = "values::text")]
    pub api_key_sid: Option<String>,
    #[serde(deserialize_with = "values::secret")]
    pub api_key_secret: Option<SecretString>,
    #[serde(deserialize_with = "values::secret")]
    pub auth_token: Option<SecretString>,
    #[serde(deserialize_with = "values::secret")]
    pub auth_token_previous: Option<SecretString>,
    #[serde(deserialize_with = "values::text")]
    pub messaging_service_sid: Option<String>,
    #[serde(deserialize_with = "values::text")]
    pub from: Option<String>,
    #[serde(deserialize_with = "values::text")]
    pub status_callback: Option<String>,
}

/// Paper by a folder shared with the print house.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostSettings {
    #[serde(deserialize_with = "values::path")]
    pub folder: Option<PathBuf>,
    #[serde(deserialize_with = "values::duration")]
    pub poll: Duration,
    #[serde(deserialize_with = "values::time_of_day")]
    pub cut_off: NaiveTime,
    pub max_batch_letters: usize,
}

/// The demonstration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoSettings {
    #[serde(deserialize_with = "values::text")]
    pub sandbox_url: Option<String>,
    #[serde(deserialize_with = "values::text")]
    pub control_url: Option<String>,
    #[serde(deserialize_with = "values::secret")]
    pub control_token: Option<SecretString>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySettings {
    pub format: LogFormat,
    pub filter: String,
}
