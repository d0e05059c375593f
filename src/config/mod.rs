//! Typed settings: `config/default.toml`, then files, then the environment. Unknown keys are refused.
//!
//! Never logs or prints a secret; `Debug` of [`Settings`] shows `[REDACTED]` in its place.

mod practices;
mod settings;
mod values;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use config::{Config, Environment, File, FileFormat, Map, Source, Value, ValueKind};

pub use practices::{Practices, PracticesError};
pub use settings::*;
pub use values::{Mode, Network, parse_duration};

/// The reference: every setting with its default, its unit and why.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

const ENV_PREFIX: &str = "LETTERBOX";

/// Why the settings cannot be used. Says what to do; never shows a value of the environment.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The key exists nowhere in the reference.
    #[error("{place}: there is no setting `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        place: String,
        key: String,
        nearest: String,
    },
    /// A file is missing, or is not TOML.
    #[error("{place}: {problem}")]
    Unreadable { place: String, problem: String },
    /// A value has the wrong type, or one that its setting does not know.
    #[error("a setting cannot be used: {0}")]
    WrongValue(String),
    /// The values do not go together.
    #[error("these settings do not go together: {0}")]
    Contradiction(String),
}

impl Settings {
    /// Reads the defaults, then each file in order, then this process's environment.
    pub fn load(files: &[PathBuf]) -> Result<Self, ConfigError> {
        Self::layered(files, environment())
    }

    /// The defaults with a few settings replaced: `[("mode", "test")]`. For tests and child processes.
    pub fn with(overrides: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let overrides = overrides.iter().map(|(key, value)| {
            (
                format!("{ENV_PREFIX}__{}", key.to_uppercase().replace('.', "__")),
                (*value).to_owned(),
            )
        });
        Self::layered(&[], environment().source(Some(overrides.collect())))
    }

    fn layered(files: &[PathBuf], environment: Environment) -> Result<Self, ConfigError> {
        let defaults = File::from_str(DEFAULTS, FileFormat::Toml);
        let known = paths(&collect(&defaults, "config/default.toml")?);
        let mut builder = Config::builder().add_source(defaults);
        for path in files {
            let file = File::from(path.as_path()).format(FileFormat::Toml);
            let place = place_of(path);
            refuse_unknown(&known, &collect(&file, &place)?, &place)?;
            builder = builder.add_source(file);
        }
        refuse_unknown(
            &known,
            &collect(&environment, "environment")?,
            "environment",
        )?;
        builder = builder.add_source(environment);
        let settings: Self = builder
            .build()
            .and_then(Config::try_deserialize)
            .map_err(|error| ConfigError::WrongValue(error.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    /// Refuses combinations that would only fail later, when a letter depends on them.
    fn check(&self) -> Result<(), ConfigError> {
        let refuse = |problem: &str| Err(ConfigError::Contradiction(problem.to_owned()));
        let production = self.mode == Mode::Production;
        let text = &self.channels.text;
        let database = &self.database;
        if [
            database.web_connections,
            database.page_connections,
            database.scheduler_connections,
        ]
        .contains(&0)
        {
            return refuse(
                "database.web_connections, page_connections and scheduler_connections must be at least 1",
            );
        }
        if production && self.channels.post.folder.is_none() {
            return refuse(
                "mode is production but channels.post.folder is not set: an unread letter could not be posted",
            );
        }
        if production && self.database.url.is_some() && self.secrets.key_file.is_none() {
            return refuse(
                "database.url is set but secrets.key_file is not: nodes could not read each other's cursors",
            );
        }
        if text.account_sid.is_some() {
            if text.api_key_sid.is_none()
                || text.api_key_secret.is_none()
                || text.auth_token.is_none()
            {
                return refuse(
                    "channels.text.account_sid needs api_key_sid, api_key_secret and auth_token beside it",
                );
            }
            if text.from.is_some() == text.messaging_service_sid.is_some() {
                return refuse(
                    "set exactly one of channels.text.from and channels.text.messaging_service_sid",
                );
            }
        }
        if !self.server.public_url.starts_with("https://")
            && production
            && !self.server.listen.ip().is_loopback()
        {
            return refuse(
                "server.public_url must be https:// in production: session cookies are sent over TLS only",
            );
        }
        self.check_nhs_login()?;
        if self.live.silence <= self.live.ping {
            return refuse(
                "live.silence must be longer than live.ping, or every idle socket is closed",
            );
        }
        Ok(())
    }
}

impl Settings {
    /// Whoever can read the way to NHS login could be anybody's: in production it is TLS, or it is not there.
    fn check_nhs_login(&self) -> Result<(), ConfigError> {
        let refuse = |problem: &str| Err(ConfigError::Contradiction(problem.to_owned()));
        let Some(issuer) = &self.nhs_login.issuer else {
            return Ok(());
        };
        if self.nhs_login.client_id.is_empty() || self.nhs_login.key_file.is_none() {
            return refuse("nhs_login.issuer needs client_id and key_file beside it");
        }
        if self.nhs_login.vtr.is_empty() || self.nhs_login.begins_per_second == 0 {
            return refuse("nhs_login.vtr must not be empty, nhs_login.begins_per_second not 0");
        }
        if self.mode == Mode::Production && !issuer.starts_with("https://") {
            return refuse("nhs_login.issuer must be https:// in production");
        }
        if self.mode == Mode::Production && self.joining.practices_file.is_none() {
            return refuse(
                "nhs_login.issuer is set but joining.practices_file is not: the sample holds no real GP practice",
            );
        }
        Ok(())
    }
}

fn environment() -> Environment {
    Environment::with_prefix(ENV_PREFIX)
        .prefix_separator("__")
        .separator("__")
}

fn place_of(path: &Path) -> String {
    path.display().to_string()
}

fn collect(source: &dyn Source, place: &str) -> Result<Map<String, Value>, ConfigError> {
    source.collect().map_err(|error| ConfigError::Unreadable {
        place: place.to_owned(),
        problem: error.to_string(),
    })
}

/// The dotted names of all values, of tables only their contents.
fn paths(table: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in table {
        match &value.kind {
            ValueKind::Table(inner) => {
                found.extend(paths(inner).into_iter().map(|path| format!("{key}.{path}")))
            }
            _ => {
                found.insert(key.clone());
            }
        }
    }
    found
}

fn refuse_unknown(
    known: &BTreeSet<String>,
    given: &Map<String, Value>,
    place: &str,
) -> Result<(), ConfigError> {
    match paths(given).into_iter().find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => {
            let nearest = known
                .iter()
                .min_by_key(|candidate| distance(candidate, &key))
                .cloned()
                .unwrap_or_default();
            Err(ConfigError::UnknownKey {
                place: place.to_owned(),
                key,
                nearest,
            })
        }
    }
}

/// Letters to insert, remove or replace to get from one name to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests;
