//! The folder of one private PostgreSQL: its data, its passwords and this installation's key.
//!
//! Never inside a checkout: that may lie below a folder that PostgreSQL's user cannot enter.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::ClusterError;

/// The longest socket path the kernel takes is 107 bytes; the socket's own name needs 20 of them.
const LONGEST_SOCKET_FOLDER: usize = 87;

/// The user that PostgreSQL runs as; it refuses to run as root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The role names of a cluster and their passwords.
#[derive(Clone)]
pub(super) struct Passwords {
    pub(super) admin: String,
    pub(super) migrate: String,
    pub(super) app: String,
}

/// One cluster's folder, locked for as long as this value lives.
pub(super) struct Home {
    pub(super) folder: PathBuf,
    pub(super) owner: Option<Owner>,
    _lock: File,
}

/// `/var/lib/letterbox` for root, otherwise `$XDG_DATA_HOME/letterbox` or `~/.local/share/letterbox`.
pub fn data_home() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return "/var/lib/letterbox".into();
    }
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || {
        set("HOME")
            .unwrap_or_else(|| "/".into())
            .join(".local/share")
    };
    set("XDG_DATA_HOME").unwrap_or_else(home).join("letterbox")
}

impl Home {
    /// Makes the folder if need be and locks it; a folder in use by another process is refused.
    pub(super) fn open(folder: &Path) -> Result<Self, ClusterError> {
        let root = rustix::process::geteuid().is_root();
        // PostgreSQL's user has to pass through, not to look around.
        let mode = if root { 0o711 } else { 0o700 };
        if let Some(parent) = folder.parent() {
            make_folder(parent, 0o755)?;
        }
        make_folder(folder, mode)?;
        let lock_path = folder.join("lock");
        let lock = private()
            .create(true)
            .open(&lock_path)
            .map_err(at(&lock_path))?;
        let home = Self {
            folder: folder.to_owned(),
            owner: None,
            _lock: lock,
        };
        if flock(&home._lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(ClusterError::InUse {
                folder: home.folder.clone(),
                url: home.announced(),
            });
        }
        let owner = if root {
            Some(home.existing_owner().map_or_else(find_owner, Ok)?)
        } else {
            None
        };
        let home = Self { owner, ..home };
        home.make_socket_folder()?;
        Ok(home)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// Where the Unix socket lives; `None` where the path is too long for one, and loopback TCP serves instead.
    pub(super) fn socket_folder(&self) -> Option<PathBuf> {
        let folder = self.folder.join("socket");
        (folder.as_os_str().len() <= LONGEST_SOCKET_FOLDER).then_some(folder)
    }

    /// The major version that wrote the data, if there are any.
    pub(super) fn written_by(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Leaves the address of whatever runs on this cluster for the next start to show.
    pub(super) fn announce(&self, url: &str) -> io::Result<()> {
        fs::write(self.folder.join("url"), url)
    }

    fn announced(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("url"))
            .ok()
            .filter(|url| !url.is_empty())
    }

    /// The installation's key: 32 random bytes, made once, readable by this process's user only.
    pub(super) fn key_file(&self) -> Result<PathBuf, ClusterError> {
        let path = self.folder.join("secret.key");
        if !path.exists() {
            self.write_once("secret.key", &rand::random::<[u8; 32]>())?;
        }
        Ok(path)
    }

    /// The passwords of this cluster, made once.
    ///
    /// # Errors
    /// [`ClusterError::PasswordsLost`] if there are data but no passwords for them.
    pub(super) fn passwords(&self) -> Result<Passwords, ClusterError> {
        let path = self.folder.join("passwords");
        if !path.exists() {
            if self.data().exists() {
                return Err(ClusterError::PasswordsLost {
                    folder: self.folder.clone(),
                });
            }
            let lines: Vec<String> = (0..3)
                .map(|_| hex::encode(rand::random::<[u8; 16]>()))
                .collect();
            self.write_once("passwords", lines.join("\n").as_bytes())?;
        }
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let mut lines = text.lines().map(str::to_owned);
        match (lines.next(), lines.next(), lines.next()) {
            (Some(admin), Some(migrate), Some(app)) => Ok(Passwords {
                admin,
                migrate,
                app,
            }),
            _ => Err(ClusterError::PasswordsLost {
                folder: self.folder.clone(),
            }),
        }
    }

    /// Gives a file or folder to PostgreSQL's user.
    pub(super) fn hand_over(&self, path: &Path) -> Result<(), ClusterError> {
        match self.owner {
            Some(owner) => {
                std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)).map_err(at(path))
            }
            None => Ok(()),
        }
    }

    /// Writes a private file so that a crash leaves either nothing or all of it.
    fn write_once(&self, name: &str, content: &[u8]) -> Result<(), ClusterError> {
        let (path, draft) = (
            self.folder.join(name),
            self.folder.join(format!("{name}.new")),
        );
        let write = || {
            let mut file = private().create(true).truncate(true).open(&draft)?;
            file.write_all(content)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().map_err(at(&path))
    }

    fn make_socket_folder(&self) -> Result<(), ClusterError> {
        let Some(folder) = self.socket_folder() else {
            return Ok(());
        };
        make_folder(&folder, 0o755)?;
        self.hand_over(&folder)
    }

    /// Whoever owns existing data goes on owning them, even if a `postgres` user has appeared since.
    fn existing_owner(&self) -> Option<Owner> {
        let meta = fs::metadata(self.data()).ok()?;
        Some(Owner {
            uid: meta.uid(),
            gid: meta.gid(),
        })
    }
}

/// Makes a folder with exactly this mode, whatever the umask: PostgreSQL's user has to reach it.
fn make_folder(folder: &Path, mode: u32) -> Result<(), ClusterError> {
    if !folder.exists() {
        DirBuilder::new()
            .recursive(true)
            .create(folder)
            .map_err(at(folder))?;
        fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(at(folder))?;
    }
    Ok(())
}

/// `postgres` if the machine has that user, otherwise `nobody`.
fn find_owner() -> Result<Owner, ClusterError> {
    let users = fs::read_to_string("/etc/passwd").map_err(at(Path::new("/etc/passwd")))?;
    let named = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some(Owner {
            uid: fields.next()?.ok()?,
            gid: fields.next()?.ok()?,
        })
    };
    named("postgres")
        .or_else(|| named("nobody"))
        .ok_or(ClusterError::NoOwner)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Names the path in an I/O error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> ClusterError + '_ {
    move |source| ClusterError::Io {
        path: path.to_owned(),
        source,
    }
}
