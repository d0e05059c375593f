//! A WebSocket client that does exactly what it is told: bytes, bits and all.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Ten times what anything here should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const MASK: [u8; 4] = [0x1f, 0x2e, 0x3d, 0x4c];

/// What came in.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Json(Value),
    Ping,
    Pong(Vec<u8>),
    Close(u16),
    /// A close frame without a code.
    Closed,
    /// The connection ended.
    End,
}

/// One HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// The head of a handshake that a good browser would send.
pub(crate) fn handshake(origin: &str) -> String {
    format!(
        "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: letterbox.v1\r\n\
         Origin: {origin}\r\n\r\n"
    )
}

/// A frame; `mask: None` is what no client may send.
pub(crate) fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(bit | length as u8),
        length @ 126..=0xffff => {
            bytes.push(bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    let Some(mask) = mask else {
        bytes.extend_from_slice(payload);
        return bytes;
    };
    bytes.extend_from_slice(&mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A text message as a good browser sends it.
pub(crate) fn text(payload: &str) -> Vec<u8> {
    frame(0x81, Some(MASK), payload.as_bytes())
}

pub(crate) struct Wire {
    pub io: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let io = TcpStream::connect(addr).await.expect("the node listens");
        io.set_nodelay(true).expect("a socket");
        Self {
            io,
            buffer: Vec::new(),
        }
    }

    /// With a receive buffer as small as the kernel allows: what is not read soon stands still.
    pub(crate) async fn connect_narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(1).expect("the smallest buffer");
        let io = socket.connect(addr).await.expect("the node listens");
        Self {
            io,
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn upgrade(addr: SocketAddr, origin: &str) -> Self {
        let mut wire = Self::connect(addr).await;
        wire.shake_hands(origin).await;
        wire
    }

    pub(crate) async fn shake_hands(&mut self, origin: &str) {
        self.send(handshake(origin).as_bytes()).await;
        let answer = self.head().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }

    /// Sends what the peer still takes; a peer that has hung up is for the caller to find out by reading.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let sent = timeout(PATIENCE, self.io.write_all(bytes)).await;
        sent.expect("the node reads").ok();
    }

    pub(crate) async fn say(&mut self, message: &str) {
        self.send(&text(message)).await;
    }

    /// Everything up to the empty line, without it.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.buffer.split_off(end + 4);
                let head = std::mem::replace(&mut self.buffer, rest);
                return String::from_utf8_lossy(&head[..end]).into_owned();
            }
            if self.fill().await == 0 {
                return String::from_utf8_lossy(&self.buffer).into_owned();
            }
        }
    }

    /// A whole HTTP answer with its body by Content-Length.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.head().await;
        let mut answer = Answer {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .unwrap_or(0),
            head,
            body: String::new(),
        };
        let length = answer.header("content-length").and_then(|n| n.parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.buffer.len() < length && self.fill().await > 0 {}
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        let body = std::mem::replace(&mut self.buffer, rest);
        answer.body = String::from_utf8_lossy(&body).into_owned();
        answer
    }

    /// True when the peer hangs up without another byte.
    pub(crate) async fn hangs_up(&mut self) -> bool {
        self.buffer.is_empty() && self.fill().await == 0
    }

    async fn fill(&mut self) -> usize {
        let mut some = [0; 4_096];
        let read = timeout(PATIENCE, self.io.read(&mut some)).await;
        let count = read.expect("the node answers in time").unwrap_or(0);
        self.buffer.extend_from_slice(&some[..count]);
        count
    }

    async fn need(&mut self, count: usize) -> bool {
        while self.buffer.len() < count {
            if self.fill().await == 0 {
                return false;
            }
        }
        true
    }

    /// The next frame.
    pub(crate) async fn hear(&mut self) -> Heard {
        if !self.need(2).await {
            return Heard::End;
        }
        let (opcode, short) = (self.buffer[0] & 0x0f, self.buffer[1]);
        assert_eq!(
            self.buffer[0] & 0xf0,
            0x80,
            "whole frames without reserved bits"
        );
        assert_eq!(short & 0x80, 0, "a server never masks");
        let (start, length) = match short {
            126 => {
                assert!(self.need(4).await);
                (
                    4,
                    usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]])),
                )
            }
            127 => panic!("no frame of ours is that long"),
            length => (2, usize::from(length)),
        };
        if !self.need(start + length).await {
            return Heard::End;
        }
        let rest = self.buffer.split_off(start + length);
        let whole = std::mem::replace(&mut self.buffer, rest);
        let payload = &whole[start..];
        match opcode {
            1 => Heard::Json(serde_json::from_slice(payload).expect("JSON")),
            8 if payload.is_empty() => Heard::Closed,
            8 => Heard::Close(u16::from_be_bytes([payload[0], payload[1]])),
            9 => Heard::Ping,
            10 => Heard::Pong(payload.to_vec()),
            other => panic!("an opcode of {other}"),
        }
    }

    /// The next JSON frame that is no ping of the protocol's own.
    pub(crate) async fn json(&mut self) -> Value {
        loop {
            match self.hear().await {
                Heard::Json(value) if value["t"] == "p" => self.say(r#"{"t":"p"}"#).await,
                Heard::Json(value) => return value,
                Heard::Ping | Heard::Pong(_) => {}
                other => panic!("a frame was expected, not {other:?}"),
            }
        }
    }

    /// The code with which the peer ends the session, whatever it says before.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            match self.hear().await {
                Heard::Close(code) => return code,
                Heard::End | Heard::Closed => return 0,
                _ => {}
            }
        }
    }
}
