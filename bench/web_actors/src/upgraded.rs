//! The shape that is used, without what Letterbox adds to it: the socket leaves HTTP, tokio-tungstenite frames it with
//! small buffers, one actix actor holds the patient, and a bounded gate lies between the two.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use actix_codec::Framed;
use actix_http::{HttpService, Request, h1::Codec};
use actix_service::{fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::{App, web};
use futures_util::task::AtomicWaker;
use futures_util::{SinkExt, StreamExt, future};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Utf8Bytes};

use crate::{BEAT, BEATS, FLOOD, FLOOD_BYTES, beat};

/// Messages that may wait for a client; beyond it the session is only marked as behind.
const GATE: usize = 64;

/// What lies between the patient and one socket.
#[derive(Default)]
struct Gate {
    waiting: Mutex<VecDeque<Utf8Bytes>>,
    waker: AtomicWaker,
}

impl Gate {
    fn offer(&self, text: &Utf8Bytes) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = waiting.len() < GATE;
        if room {
            waiting.push_back(text.clone());
            self.waker.wake();
        }
        room
    }

    async fn next(&self) -> Utf8Bytes {
        future::poll_fn(|context| {
            self.waker.register(context.waker());
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.pop_front().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// The patient: beats by its own timer, whatever the socket does.
struct Patient {
    gate: Arc<Gate>,
    behind: bool,
}

impl Actor for Patient {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(BEAT, |_, _| beat());
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Flood;

impl Handler<Flood> for Patient {
    type Result = ();

    fn handle(&mut self, Flood: Flood, _: &mut Self::Context) {
        for _ in 0..FLOOD {
            self.behind |= !self.gate.offer(&Utf8Bytes::from("x".repeat(FLOOD_BYTES)));
        }
    }
}

async fn enter(request: Request, framed: Framed<TcpStream, Codec>) -> Option<()> {
    let parts = framed.into_parts();
    let key = request
        .head()
        .headers()
        .get("sec-websocket-key")?
        .as_bytes()
        .to_vec();
    let mut io = parts.io;
    let accept = derive_accept_key(&key);
    let welcome = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    io.write_all(welcome.as_bytes()).await.ok()?;
    let small = WebSocketConfig::default()
        .read_buffer_size(128)
        .write_buffer_size(0);
    let socket = WebSocketStream::from_partially_read(
        io,
        parts.read_buf.to_vec(),
        Role::Server,
        Some(small),
    )
    .await;
    let gate = Arc::new(Gate::default());
    let patient = Patient {
        gate: Arc::clone(&gate),
        behind: false,
    }
    .start();
    actix_rt::spawn(session(socket, gate, patient));
    Some(())
}

async fn session(mut socket: WebSocketStream<TcpStream>, gate: Arc<Gate>, patient: Addr<Patient>) {
    loop {
        match future::select(socket.next(), std::pin::pin!(gate.next())).await {
            future::Either::Left((Some(Ok(tungstenite::Message::Text(_))), _)) => {
                if patient.try_send(Flood).is_err() {
                    return;
                }
            }
            future::Either::Left((Some(Ok(_)), _)) => {}
            future::Either::Left(_) => return,
            future::Either::Right((text, _)) => {
                if socket.send(tungstenite::Message::Text(text)).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn beats() -> String {
    BEATS.load(std::sync::atomic::Ordering::Relaxed).to_string()
}

pub(crate) async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    let server = actix_server::Server::build()
        .workers(1)
        .max_concurrent_connections(100_000);
    let server = server.listen("sockets", listener, || {
        let upgrade = fn_service(|(request, framed)| {
            actix_rt::spawn(enter(request, framed));
            future::ready(Ok::<_, actix_web::Error>(()))
        });
        let app = App::new().route("/beats", web::get().to(beats));
        HttpService::build()
            .upgrade(upgrade)
            .h1(map_config(app, |()| AppConfig::default()))
            .tcp()
    })?;
    server.run().await
}
