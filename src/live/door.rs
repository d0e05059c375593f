//! The front door: pages and API on actix-web, and on the same port every WebSocket upgrade, which leaves the HTTP
//! stack here and takes its bare socket along.
//!
//! Every request with `Upgrade: websocket`, on any path and method, and every CONNECT comes here and has passed no
//! route and no middleware. So the door judges it alone, counts it, answers anything but `GET /live` of our own pages
//! with 4xx, and closes. It never looks at a ticket: that is the first frame's.

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::body::MessageBody;
use actix_http::h1::Codec;
use actix_http::{Extensions, HttpService, Request, Response};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::admission::Seat;
use super::framing::{self, Socket};
use super::handshake::{self, Refusal};
use super::{Live, measures, session};
use crate::web::remember_socket;

/// The answer to an upgrade must leave within this: it is 200 bytes into an empty buffer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// What a turned-away peer may still send before the line is cut.
const SCRAP_BYTES: u64 = 64 * 1_024;

/// How pages and API are served beside the sockets.
#[derive(Clone, Copy, Debug)]
pub struct DoorSettings {
    /// Threads; 0 is one per core.
    pub workers: usize,
    /// Connections in HTTP per worker; sockets that have left HTTP do not count.
    pub connections_per_worker: usize,
    /// A request's head must have come within.
    pub head_within: Duration,
    /// An idle connection is kept for the next request this long.
    pub keep_alive: Duration,
    /// Running requests may take this long after a stop was asked for.
    pub stop_within: Duration,
}

impl Default for DoorSettings {
    fn default() -> Self {
        Self {
            workers: 0,
            connections_per_worker: 1_024,
            head_within: Duration::from_secs(5),
            keep_alive: Duration::from_secs(60),
            stop_within: Duration::from_secs(10),
        }
    }
}

/// Serves `app` and the sockets of `live` on one listener. Signals are the caller's: stop it by the server's handle.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve<F, A, S, B>(
    listener: TcpListener,
    live: &Arc<Live>,
    settings: DoorSettings,
    app: F,
) -> std::io::Result<Server>
where
    F: Fn() -> A + Send + Clone + 'static,
    A: IntoServiceFactory<S, Request> + 'static,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let live = Arc::clone(live);
    let local = listener.local_addr()?;
    let mut builder = Server::build()
        .disable_signals()
        .max_concurrent_connections(settings.connections_per_worker)
        .shutdown_timeout(settings.stop_within.as_secs());
    if settings.workers > 0 {
        builder = builder.workers(settings.workers);
    }
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder.listen("letterbox", listener, move || {
        let stopping = stopping.clone();
        let live = Arc::clone(&live);
        let upgrade = fn_service(move |(request, framed)| {
            let live = Arc::clone(&live);
            // A task of its own: the HTTP task and its buffers end here.
            actix_rt::spawn(async move { enter(live, request, framed).await });
            std::future::ready(Ok::<_, actix_web::Error>(()))
        });
        let app = app()
            .into_factory()
            .map_err(|error| error.into().error_response());
        HttpService::build()
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.head_within)
            .client_disconnect_timeout(Duration::from_secs(1))
            .local_addr(local)
            .on_connect_ext(|io: &TcpStream, data: &mut Extensions| remember_socket(io, data))
            // Idle connections are closed when a stop begins; otherwise each would be waited for.
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .upgrade(upgrade)
            .h1(map_config(app, |()| AppConfig::default()))
            .tcp()
    })?;
    Ok(builder.run())
}

/// One request that asked to leave HTTP.
async fn enter(live: Arc<Live>, request: Request, framed: Framed<TcpStream, Codec>) {
    let parts = framed.into_parts();
    let mut io = parts.io;
    let judged = handshake::judge(request.head(), &live.origins).map(framing::accept_key);
    let admitted = judged.and_then(|accept| live.seat().map(|seat| (accept, seat)));
    drop(request);
    let mut answer = parts.write_buf.to_vec();
    match admitted {
        Ok((accept, seat)) => {
            answer.extend_from_slice(handshake::welcome(&accept).as_bytes());
            if written(&mut io, &answer).await {
                drop(answer);
                prepare(&io, &live);
                let socket = Socket::new(io, parts.read_buf.to_vec(), live.limits.max_frame_bytes);
                actix_rt::spawn(session::serve(live, socket, seat));
            }
        }
        Err(refusal) => {
            live.note(refusal);
            answer.extend_from_slice(refusal.answer().as_bytes());
            if written(&mut io, &answer).await {
                hang_up(io).await;
            }
        }
    }
}

impl Live {
    fn seat(&self) -> Result<Seat, Refusal> {
        let retry_after = u32::try_from(self.limits.retry_after.as_secs()).unwrap_or(u32::MAX);
        self.admission.admit().ok_or(Refusal::Full { retry_after })
    }

    fn note(&self, refusal: Refusal) {
        metrics::counter!(measures::REFUSED, "reason" => refusal.label()).increment(1);
        if refusal.is_suspicious()
            && let Some(more) = self.refusals.pass()
        {
            tracing::warn!(
                security = true,
                reason = refusal.label(),
                more,
                "live.upgrade_refused"
            );
        }
    }
}

async fn written(io: &mut TcpStream, bytes: &[u8]) -> bool {
    let write = tokio::time::timeout(ANSWER_WITHIN, io.write_all(bytes));
    matches!(write.await, Ok(Ok(())))
}

/// Bounds what the kernel keeps for one peer. Failing only loses the bound: the write deadline remains.
fn prepare(io: &TcpStream, live: &Live) {
    use rustix::net::sockopt;
    let unacknowledged = u32::try_from(live.limits.unacknowledged_within.as_millis());
    let bounded = sockopt::set_socket_send_buffer_size(io, live.limits.send_buffer_bytes)
        .and_then(|()| sockopt::set_tcp_user_timeout(io, unacknowledged.unwrap_or(u32::MAX)))
        .and_then(|()| sockopt::set_tcp_nodelay(io, true));
    if let Err(error) = bounded {
        tracing::debug!(%error, "live.socket_not_bounded");
    }
}

/// Lets the peer read our answer: a reset would overtake it while unread bytes lie in the buffer.
async fn hang_up(mut io: TcpStream) {
    let goodbye = async {
        io.shutdown().await?;
        tokio::io::copy(&mut (&mut io).take(SCRAP_BYTES), &mut tokio::io::sink()).await
    };
    // Whatever happens to a peer that was turned away, it is over in a second.
    tokio::time::timeout(Duration::from_secs(1), goodbye)
        .await
        .ok();
}
