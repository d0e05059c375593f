//! The patients' side: one socket each, resumed by its cursor whenever it breaks.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use uuid::Uuid;

use crate::ledger::{Ledger, histogram, micros};
use crate::plan::{Cast, Patient, Plan};
use crate::report::Screen;
use crate::target::Target;

/// From the ticket to the server's first word.
const HELLO: Duration = Duration::from_secs(20);
/// What a server must take from a browser at most.
const LARGEST_FRAME: usize = 1_024;
/// Handshakes at once; more only queue in the kernel.
const HANDSHAKES: usize = 128;

type Socket = WebSocketStream<TcpStream>;

/// Everybody who listens.
pub(crate) struct Crowd {
    tasks: JoinSet<()>,
    leaving: Arc<AtomicBool>,
    seen: Arc<Seen>,
}

/// What connecting looked like.
pub(crate) struct Connected {
    pub connected: u64,
    pub failed: u64,
    /// From asking for the ticket to the server's `ok`, microseconds.
    pub took: Histogram<u64>,
}

struct Seen {
    ledger: Arc<Ledger>,
    connected: AtomicU64,
    failed: AtomicU64,
    took: std::sync::Mutex<Histogram<u64>>,
}

/// A frame as far as a load tester reads it; unknown kinds are ignored.
#[derive(Deserialize)]
struct Frame {
    t: String,
    n: Option<u64>,
    c: Option<serde_json::Value>,
    e: Option<Event>,
    boxes: Option<Vec<Box_>>,
}

#[derive(Deserialize)]
struct Event {
    id: Uuid,
    k: String,
    item: Uuid,
}

#[derive(Deserialize)]
struct Box_ {
    b: String,
    pos: String,
    res: String,
}

struct Browser {
    target: Target,
    patient: Patient,
    number: usize,
    seen: Arc<Seen>,
    cursor: Option<String>,
    /// Number of the last frame in this connection.
    last: u64,
    largest_frame: bool,
    /// Events of this mailbox; a resume may repeat the last ones, and they must not count twice.
    events: HashSet<Uuid>,
}

impl Crowd {
    /// Opens every socket at the plan's rate and waits until the last has said hello.
    ///
    /// # Errors
    /// When not a single one succeeds.
    pub(crate) async fn connect(
        target: &Target,
        cast: &Cast,
        ledger: &Arc<Ledger>,
        plan: &Plan,
        screen: &Screen,
    ) -> anyhow::Result<Self> {
        let seen = Arc::new(Seen {
            ledger: Arc::clone(ledger),
            connected: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            took: std::sync::Mutex::new(histogram()),
        });
        let leaving = Arc::new(AtomicBool::new(false));
        let doors = Arc::new(Semaphore::new(HANDSHAKES));
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for (number, patient) in cast.patients.iter().enumerate() {
            tokio::time::sleep_until(
                (start + Duration::from_secs_f64(number as f64 / plan.connect_rate)).into(),
            )
            .await;
            let browser = Browser {
                target: target.clone(),
                patient: patient.clone(),
                number,
                seen: Arc::clone(&seen),
                cursor: None,
                last: 0,
                largest_frame: plan.largest_frame,
                events: HashSet::new(),
            };
            tasks.spawn(browser.live(Arc::clone(&doors), Arc::clone(&leaving)));
            screen.connecting(seen.connected.load(Ordering::Relaxed));
        }
        let until = Instant::now() + HELLO * 2;
        while seen.arrived() < cast.patients.len() as u64 && Instant::now() < until {
            screen.connecting(seen.connected.load(Ordering::Relaxed));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(
            seen.connected.load(Ordering::Relaxed) > 0,
            "no socket could be opened"
        );
        Ok(Self {
            tasks,
            leaving,
            seen,
        })
    }

    /// Closes everything.
    pub(crate) async fn leave(mut self) -> Connected {
        self.leaving.store(true, Ordering::Relaxed);
        self.tasks.shutdown().await;
        let took = self
            .seen
            .took
            .lock()
            .map(|took| took.clone())
            .unwrap_or_else(|_| histogram());
        Connected {
            connected: self.seen.connected.load(Ordering::Relaxed),
            failed: self.seen.failed.load(Ordering::Relaxed),
            took,
        }
    }
}

impl Seen {
    fn arrived(&self) -> u64 {
        self.connected.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

impl Browser {
    async fn live(mut self, doors: Arc<Semaphore>, leaving: Arc<AtomicBool>) {
        let mut first = true;
        let mut wait = Duration::from_millis(500);
        while !leaving.load(Ordering::Relaxed) {
            let opened = self.open(&doors).await;
            match (&opened, first) {
                (Ok(_), true) => self.seen.connected.fetch_add(1, Ordering::Relaxed),
                (Err(_), true) => self.seen.failed.fetch_add(1, Ordering::Relaxed),
                _ => self
                    .seen
                    .ledger
                    .counts
                    .reconnects
                    .fetch_add(1, Ordering::Relaxed),
            };
            first = false;
            if let Ok(socket) = opened {
                wait = Duration::from_millis(500);
                self.listen(socket).await;
            }
            // Full jitter, as a browser would wait.
            tokio::time::sleep(wait.mul_f64(rand::random::<f64>())).await;
            wait = (wait * 2).min(Duration::from_secs(30));
        }
    }

    async fn open(&mut self, doors: &Semaphore) -> anyhow::Result<Socket> {
        let _door = doors.acquire().await?;
        let start = Instant::now();
        let socket = tokio::time::timeout(HELLO, self.handshake())
            .await
            .context("no hello")??;
        if let Ok(mut took) = self.seen.took.lock() {
            took.saturating_record(micros(start.elapsed()));
        }
        Ok(socket)
    }

    async fn handshake(&mut self) -> anyhow::Result<Socket> {
        let ticket = self.ticket().await?;
        let stream = TcpStream::connect(self.target.address).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{}/live", self.target.host).into_client_request()?;
        request
            .headers_mut()
            .insert("Origin", self.target.origin.parse()?);
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", "letterbox.v1".parse()?);
        let small = WebSocketConfig::default()
            .read_buffer_size(512)
            .write_buffer_size(0)
            .max_message_size(Some(1 << 20));
        let (mut socket, _) =
            tokio_tungstenite::client_async_with_config(request, stream, Some(small)).await?;
        let position = self
            .cursor
            .as_ref()
            .map(|cursor| json!({ self.patient.mailbox.as_str(): cursor }));
        let hello =
            json!({ "t": "hi", "ticket": ticket, "pos": position.unwrap_or_else(|| json!({})) });
        socket.send(Message::text(hello.to_string())).await?;
        if self.largest_frame {
            // A kind that no server knows is ignored, but has to be read.
            let empty = json!({ "t": "padding", "x": "" }).to_string();
            let padding = "x".repeat(LARGEST_FRAME - empty.len());
            socket
                .send(Message::text(
                    json!({ "t": "padding", "x": padding }).to_string(),
                ))
                .await?;
        }
        self.last = 0;
        loop {
            let message = socket
                .next()
                .await
                .context("closed before its first word")??;
            if message.is_close() {
                anyhow::bail!("closed before its first word");
            }
            if self.read(&message).is_some_and(|kind| kind == "ok") {
                return Ok(socket);
            }
        }
    }

    async fn ticket(&self) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Ticket {
            ticket: String,
        }
        let asked = self
            .target
            .client
            .post(format!("{}/live/ticket", self.target.base));
        let asked = asked
            .header("Host", &self.target.host)
            .header("Origin", &self.target.origin)
            .header("Sec-Fetch-Site", "same-origin")
            .header("Cookie", &self.patient.cookie);
        Ok(asked
            .send()
            .await?
            .error_for_status()?
            .json::<Ticket>()
            .await?
            .ticket)
    }

    /// Reads frames until the socket ends; answers pings and acknowledges what came.
    async fn listen(&mut self, mut socket: Socket) {
        while let Some(Ok(message)) = socket.next().await {
            let answer = match self.read(&message).as_deref() {
                Some("p") => json!({ "t": "p" }),
                Some("ev") if self.last.is_multiple_of(16) => json!({ "t": "ack", "n": self.last }),
                _ => continue,
            };
            if socket
                .send(Message::text(answer.to_string()))
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// Books a frame; answers its kind.
    fn read(&mut self, message: &Message) -> Option<String> {
        let at = Instant::now();
        let frame: Frame = serde_json::from_str(message.to_text().ok()?).ok()?;
        match frame.t.as_str() {
            "ok" => self.position(frame.boxes.as_deref().unwrap_or_default()),
            "ev" => self.event(&frame, at),
            "reset" => {
                self.seen
                    .ledger
                    .counts
                    .resets
                    .fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        Some(frame.t)
    }

    fn position(&mut self, boxes: &[Box_]) {
        let own = boxes.iter().find(|one| one.b == self.patient.mailbox);
        if let Some(own) = own.filter(|own| own.res != "catchup") {
            self.cursor = Some(own.pos.clone());
        }
    }

    fn event(&mut self, frame: &Frame, at: Instant) {
        let ledger = &self.seen.ledger;
        if frame.n != Some(self.last + 1) {
            ledger.counts.disorder.fetch_add(1, Ordering::Relaxed);
        }
        self.last = frame.n.unwrap_or(self.last + 1);
        if let Some(cursor) = frame.c.as_ref().and_then(|cursor| cursor.as_str()) {
            self.cursor = Some(cursor.to_owned());
        }
        if let Some(event) = &frame.e
            && self.events.insert(event.id)
            && event.k == "letter.published"
        {
            ledger.arrived(event.item, self.number, at);
        }
    }
}
