//! The mail server: a small RFC 5321 server that keeps what it accepts and never relays anything.

mod session;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::world::World;
use session::Session;

/// Connections at once; the next one is told 421, as a busy server does.
const CONNECTIONS_MAX: usize = 200;
/// RFC 5321 asks for at least five minutes of patience.
const IDLE: Duration = Duration::from_secs(300);

/// Serves connections for as long as the process lives.
pub(crate) async fn serve(listener: TcpListener, world: Arc<World>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => welcome(stream, &slots, &world),
            Err(error) => {
                eprintln!("letterbox-sandbox: smtp accept: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn welcome(stream: TcpStream, slots: &Arc<Semaphore>, world: &Arc<World>) {
    let slot = Arc::clone(slots).try_acquire_owned().ok();
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let busy = slot.is_none();
        // A client that vanishes is no news for anybody here.
        drop(Session::new(stream, world).run(busy).await);
        drop(slot);
    });
}
