//! One browser's WebSocket over the bare TCP socket. The only file that names the framing crate.
//!
//! The framer (tungstenite) is driven by hand: it reads and writes without blocking, and readiness comes from
//! `poll_read_ready`/`poll_write_ready`, which put *our* waker into the socket. The async wrapper would add two
//! waker proxies a session, and `readable()` would leave the finished HTTP task alive in the socket's waker slot.
//! It exists while something is half here or half gone: an idle session keeps no framer and no buffer (tungstenite
//! keeps its buffers at the size of the largest frame either way, so one long frame would weigh for hours).
//! It never compresses, never buffers more than one message either way, and never decides why a session ends.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame, Message, Role, WebSocketConfig, WebSocketContext,
};
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError};

use super::bounds::Bounds;
use super::close::Ending;

/// Read at most this much at once; never beyond the frame at hand. An acknowledgement fits, a receipt is 150 bytes.
const READ_BUFFER_BYTES: usize = 64;
/// One message may take so many times its largest size on the wire, headers of its fragments included. Without it a
/// peer could send empty fragments for ever inside one message, and no other limit would count them.
const WIRE_FOR_MESSAGE: usize = 2;
/// The largest thing ever queued is the answer to `hi` with all boxes (about 6 KiB), then a pong and a close.
const MAX_UNSENT_BYTES: usize = 16 * 1_024;
/// How long a closing peer may take to read our last frame and to hang up.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much a closing peer may still send before we stop listening.
const FAREWELL_BYTES: usize = 64 * 1_024;

/// What a browser sent.
#[derive(Debug)]
pub(super) enum Received {
    /// A text message, already known to be UTF-8.
    Text(tokio_tungstenite::tungstenite::Utf8Bytes),
    /// A protocol ping or pong; a ping has been answered.
    Control,
}

/// A framed socket.
pub(super) struct Socket {
    io: TcpStream,
    /// The largest message that is taken.
    most_bytes: usize,
    /// None between messages.
    framer: Option<Box<Framer>>,
    /// The kernel did not take everything that was to leave.
    unsent: bool,
}

/// One message on its way, in or out.
struct Framer {
    context: WebSocketContext,
    inbound: Inbound,
}

/// What has come in of it.
struct Inbound {
    /// Bytes that came with the handshake and have not been framed yet.
    early: VecDeque<u8>,
    bounds: Bounds,
    /// Bytes read since the last whole message.
    since_message: usize,
    /// And how many there may be.
    most_for_message: usize,
}

/// The socket as the framer sees it: reads and writes what is possible now.
struct Now<'a> {
    io: &'a TcpStream,
    inbound: &'a mut Inbound,
}

/// Marks our own refusal inside an I/O error.
#[derive(Debug, thiserror::Error)]
#[error("too many bytes for one message")]
struct TooManyPieces;

impl io::Read for Now<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let inbound = &mut *self.inbound;
        if inbound.since_message > inbound.most_for_message {
            return Err(io::Error::other(TooManyPieces));
        }
        let most = buffer.len().min(inbound.bounds.wanted());
        let buffer = &mut buffer[..most];
        let count = if inbound.early.is_empty() {
            self.io.try_read(buffer)?
        } else {
            io::Read::read(&mut inbound.early, buffer)?
        };
        inbound.bounds.passed(&buffer[..count]);
        inbound.since_message += count;
        Ok(count)
    }
}

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The value of `Sec-WebSocket-Accept` for a client's key.
pub(super) fn accept_key(key: &[u8]) -> String {
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key)
}

impl Socket {
    /// Takes over after the 101 has been written; `early` is what the peer sent behind its request.
    ///
    /// Larger messages than `most_bytes` go by HTTPS.
    pub(super) fn new(io: TcpStream, early: Vec<u8>, most_bytes: usize) -> Self {
        let framer = (!early.is_empty()).then(|| Framer::new(early, most_bytes));
        Self {
            io,
            most_bytes,
            framer,
            unsent: false,
        }
    }

    /// Waits for the next whole message.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ending>> {
        loop {
            if self.framer.is_none() && ready!(self.io.poll_read_ready(cx)).is_err() {
                return Poll::Ready(Err(Ending::PeerLeft));
            }
            match self.framed(|context, now| context.read(now)) {
                Ok(message) => {
                    let received = self.received(message);
                    self.rest();
                    return Poll::Ready(received);
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.rest();
                    if ready!(self.io.poll_read_ready(cx)).is_err() {
                        return Poll::Ready(Err(Ending::PeerLeft));
                    }
                }
                Err(error) => return Poll::Ready(Err(ending_for(&error))),
            }
        }
    }

    /// Lets the framer do something with what the socket takes and gives now.
    fn framed<T>(&mut self, act: impl FnOnce(&mut WebSocketContext, &mut Now<'_>) -> T) -> T {
        let make = || Framer::new(Vec::new(), self.most_bytes);
        let framer = self.framer.get_or_insert_with(make);
        let mut now = Now {
            io: &self.io,
            inbound: &mut framer.inbound,
        };
        act(&mut framer.context, &mut now)
    }

    /// Lets the framer go unless something is half here or half gone.
    fn rest(&mut self) {
        let idle =
            |framer: &Framer| framer.inbound.early.is_empty() && framer.inbound.bounds.at_rest();
        if !self.unsent && self.framer.as_deref().is_some_and(idle) {
            self.framer = None;
        }
    }

    fn received(&mut self, message: Message) -> Result<Received, Ending> {
        if let Some(framer) = &mut self.framer {
            framer.inbound.since_message = 0;
        }
        match message {
            Message::Text(text) => Ok(Received::Text(text)),
            Message::Ping(_) => {
                // The pong is queued; it leaves now, or with whatever is waiting to leave.
                self.flush_now()?;
                Ok(Received::Control)
            }
            Message::Pong(_) => Ok(Received::Control),
            Message::Close(_) => {
                // The answer to a close is best effort: the peer has already said goodbye.
                self.flush_now().ok();
                Err(Ending::PeerLeft)
            }
            Message::Binary(_) | Message::Frame(_) => Err(Ending::NotText),
        }
    }

    /// Whether bytes are waiting to leave; nothing may be sent before they have.
    pub(super) const fn has_unsent(&self) -> bool {
        self.unsent
    }

    /// Frames one text message and gives the kernel what it takes.
    ///
    /// # Errors
    /// [`Ending::PeerLeft`] when the connection is broken.
    pub(super) fn send(&mut self, text: String) -> Result<(), Ending> {
        let outcome = self.framed(|context, now| context.write(now, Message::text(text)));
        let sent = self.after_write(outcome);
        self.rest();
        sent
    }

    fn flush_now(&mut self) -> Result<(), Ending> {
        let outcome = self.framed(|context, now| context.flush(now));
        self.after_write(outcome)
    }

    fn after_write(&mut self, outcome: Result<(), Error>) -> Result<(), Ending> {
        self.unsent = false;
        match outcome {
            Ok(()) => Ok(()),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unsent = true;
                Ok(())
            }
            Err(error) => Err(ending_for(&error)),
        }
    }

    /// Pushes out what is waiting; ready when nothing is.
    pub(super) fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ending>> {
        while self.unsent {
            if ready!(self.io.poll_write_ready(cx)).is_err() {
                return Poll::Ready(Err(Ending::PeerLeft));
            }
            self.flush_now()?;
            self.rest();
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the connection: says why where the peer can still hear it, waits briefly for it to hang up, and
    /// otherwise cuts the line so that the kernel keeps nothing for it.
    pub(super) async fn close(mut self, why: Ending) {
        if let Some(code) = why.code().filter(|_| !self.unsent) {
            let frame = CloseFrame {
                code: CloseCode::from(code),
                reason: why.reason().into(),
            };
            let told = self
                .framed(|context, now| context.close(now, Some(frame)))
                .is_ok();
            if told && farewell(&mut self.io).await {
                return;
            }
        }
        if why == Ending::PeerLeft && !self.unsent {
            return;
        }
        // Failure only means that the connection is gone already.
        self.io.set_zero_linger().ok();
    }
}

impl Framer {
    fn new(early: Vec<u8>, most_bytes: usize) -> Box<Self> {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_UNSENT_BYTES)
            .max_message_size(Some(most_bytes))
            .max_frame_size(Some(most_bytes));
        Box::new(Self {
            context: WebSocketContext::new(Role::Server, Some(config)),
            inbound: Inbound {
                early: early.into(),
                bounds: Bounds::default(),
                since_message: 0,
                most_for_message: WIRE_FOR_MESSAGE * most_bytes,
            },
        })
    }
}

/// Waits until the peer has read our last frame and hung up. True when it has.
async fn farewell(io: &mut TcpStream) -> bool {
    let goodbye = async {
        io.shutdown().await?;
        let mut scrap = [0; 512];
        let mut heard = 0;
        while heard < FAREWELL_BYTES {
            match io.read(&mut scrap).await? {
                0 => return Ok(true),
                count => heard += count,
            }
        }
        Ok::<bool, io::Error>(false)
    };
    matches!(tokio::time::timeout(FAREWELL, goodbye).await, Ok(Ok(true)))
}

/// What the framer's complaint means for the session.
fn ending_for(error: &Error) -> Ending {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ending::PeerLeft,
        Error::Protocol(_) => Ending::BadFraming,
        Error::Capacity(_) => Ending::TooBig,
        Error::Utf8(_) => Ending::NotUtf8,
        Error::WriteBufferFull(_) => Ending::Internal,
        Error::Io(io) if io.get_ref().is_some_and(|e| e.is::<TooManyPieces>()) => Ending::TooMany,
        _ => Ending::PeerLeft,
    }
}
