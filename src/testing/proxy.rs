//! A TCP proxy in front of PostgreSQL that cuts connections at a chosen moment: what a failing network does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards to the database; after [`Proxy::cut_the_next_commit`] it lets one COMMIT through and swallows its answer.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    armed: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy on a free port of this machine, to `host:port`.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn to(target: &str) -> Self {
        let listener = match TcpListener::bind("127.0.0.1:0").await {
            Ok(listener) => listener,
            Err(error) => panic!("no port for the proxy: {error}"),
        };
        let port = listener
            .local_addr()
            .map(|address| address.port())
            .unwrap_or_default();
        let proxy = Self {
            port,
            armed: Arc::default(),
            cuts: Arc::default(),
        };
        let (armed, cuts, target) = (
            Arc::clone(&proxy.armed),
            Arc::clone(&proxy.cuts),
            target.to_owned(),
        );
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(
                    client,
                    target.clone(),
                    Arc::clone(&armed),
                    Arc::clone(&cuts),
                ));
            }
        });
        proxy
    }

    /// Where to connect instead of the database.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The next connection that sends COMMIT is cut once PostgreSQL has answered, before the answer arrives.
    pub fn cut_the_next_commit(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// How many connections have been cut.
    #[must_use]
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

async fn forward(
    mut client: TcpStream,
    target: String,
    armed: Arc<AtomicBool>,
    cuts: Arc<AtomicUsize>,
) {
    let Ok(mut server) = TcpStream::connect(&target).await else {
        return;
    };
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    // Once this connection's COMMIT is on its way, the next answer that ends a transaction is not passed on.
    let mut doomed = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(length) if length > 0 => {
                    let sent = &up[..length];
                    doomed = doomed || says_commit(sent) && armed.swap(false, Ordering::SeqCst);
                    if server.write_all(sent).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(length) if length > 0 => {
                    if doomed && says_commit(&down[..length]) {
                        cuts.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    if client.write_all(&down[..length]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
}

/// The word stands alone as a simple query from one side, and as a command tag from the other.
fn says_commit(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"COMMIT\0")
}
