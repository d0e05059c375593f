//! What only a superuser can do, and only to databases that are not real.

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::NoTls;

use super::StoreError;

/// Drops the private cluster's database with everything in it, and makes it anew, empty.
///
/// # Errors
/// Any [`StoreError`].
pub async fn recreate_database(admin_url: &SecretString) -> Result<(), StoreError> {
    let (client, connection) = tokio_postgres::connect(admin_url.expose_secret(), NoTls).await?;
    let driver = tokio::spawn(connection);
    client
        .batch_execute("DROP DATABASE IF EXISTS letterbox WITH (FORCE)")
        .await?;
    client
        .batch_execute("CREATE DATABASE letterbox OWNER letterbox_migrate")
        .await?;
    drop(client);
    match driver.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(StoreError::Unavailable(
            "the connection's task ended".to_owned(),
        )),
    }
}
