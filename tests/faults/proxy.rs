//! A TCP proxy in front of PostgreSQL that cuts one connection at the worst moment: when its COMMIT passes.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// `Q`, the length, the words: how a COMMIT looks on the wire.
const COMMIT: &[u8] = b"Q\x00\x00\x00\x0bCOMMIT\x00";
/// More than any answer to a COMMIT.
const ANSWER: usize = 1_024;

/// Where the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// PostgreSQL never sees the COMMIT.
    BeforeCommit,
    /// PostgreSQL has committed; the client never hears of it.
    AfterCommit,
}

pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// What to do to the first connection that carries this text.
    armed: Mutex<Option<(Cut, Vec<u8>)>>,
    cuts: AtomicU32,
}

impl Proxy {
    /// A proxy in front of the PostgreSQL that `url` names.
    pub(crate) async fn before(url: &str) -> Self {
        let behind = address(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (behind, shared) = (behind.clone(), Arc::clone(&serving));
                // Ends with either side; a broken connection is what this proxy is for.
                tokio::spawn(async move { drop(pass(client, &behind, &shared).await) });
            }
        });
        Self { port, shared }
    }

    /// The URL of the same database through this proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replacen(address(url), &format!("127.0.0.1:{}", self.port), 1)
    }

    /// Cuts the connection whose transaction carries `text`, once.
    pub(crate) fn cut_the_commit_of(&self, cut: Cut, text: &str) {
        *self.shared.armed() = Some((cut, text.as_bytes().to_vec()));
    }

    pub(crate) fn cuts(&self) -> u32 {
        self.shared.cuts.load(Ordering::Acquire)
    }
}

impl Shared {
    fn armed(&self) -> std::sync::MutexGuard<'_, Option<(Cut, Vec<u8>)>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the connection to be cut; it will be, so nobody else is.
    fn takes(&self, bytes: &[u8]) -> Option<Cut> {
        let mut armed = self.armed();
        let (cut, text) = armed.as_ref()?;
        let cut = *cut;
        let found = holds(bytes, text);
        found.then(|| *armed = None);
        found.then_some(cut)
    }
}

async fn pass(client: TcpStream, behind: &str, shared: &Shared) -> io::Result<()> {
    let server = TcpStream::connect(behind).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut marked = None;
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = from_client.read(&mut up) => {
                let bytes = &up[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                marked = marked.or_else(|| shared.takes(bytes));
                match marked {
                    Some(Cut::BeforeCommit) if holds(bytes, COMMIT) => {
                        shared.cuts.fetch_add(1, Ordering::AcqRel);
                        return Ok(());
                    }
                    Some(Cut::AfterCommit) if holds(bytes, COMMIT) => {
                        to_server.write_all(bytes).await?;
                        swallow_the_answer(&mut from_server).await?;
                        shared.cuts.fetch_add(1, Ordering::AcqRel);
                        return Ok(());
                    }
                    _ => to_server.write_all(bytes).await?,
                }
            }
            read = from_server.read(&mut down) => {
                let bytes = &down[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                to_client.write_all(bytes).await?;
            }
        }
    }
}

/// Waits until PostgreSQL says that it has committed.
async fn swallow_the_answer(from_server: &mut (impl AsyncReadExt + Unpin)) -> io::Result<()> {
    let mut heard = Vec::new();
    let mut some = vec![0; ANSWER];
    while !holds(&heard, b"COMMIT\0") {
        let read = from_server.read(&mut some).await?;
        if read == 0 {
            return Ok(());
        }
        heard.extend_from_slice(&some[..read]);
    }
    Ok(())
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// `host:port` of a URL with a user.
fn address(url: &str) -> &str {
    let (_, rest) = url.split_once('@').expect("user@host:port");
    rest.split('/').next().expect("host:port/database")
}
