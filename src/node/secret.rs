//! The installation's secret: 32 random bytes in a file that only the server may read.

use crate::config::SecretSettings;

use super::NodeError;

/// Reads it.
///
/// # Errors
/// When it is not configured or cannot be read; whether it is long enough is for its users to say.
pub(super) fn read(settings: &SecretSettings) -> Result<Vec<u8>, NodeError> {
    let path = settings.key_file.clone().ok_or(NodeError::NoKeyFile)?;
    std::fs::read(&path).map_err(|source| NodeError::KeyFile { path, source })
}
