//! The other end: raw sockets, so that clients cost little and can refuse to read.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Opens one WebSocket and reads no further than the server's welcome.
pub(crate) async fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut welcome = Vec::new();
    while !welcome.ends_with(b"\r\n\r\n") {
        welcome.push(stream.read_u8().await?);
        ensure!(welcome.len() < 4_096, "the welcome does not end");
    }
    ensure!(
        welcome.starts_with(b"HTTP/1.1 101"),
        "the upgrade was refused"
    );
    Ok(stream)
}

pub(crate) async fn connect_many(port: u16, count: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(connect(port).await?);
    }
    Ok(sockets)
}

/// Sends a short text frame, masked with zeros.
pub(crate) async fn send_text(stream: &TcpStream, text: &str) -> anyhow::Result<()> {
    let length = u8::try_from(text.len())
        .ok()
        .filter(|length| *length < 126)
        .context("too long for one short frame")?;
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    stream.writable().await?;
    ensure!(
        stream.try_write(&frame)? == frame.len(),
        "the frame did not fit"
    );
    Ok(())
}

/// Heartbeats of all sessions so far.
pub(crate) async fn beats(port: u16) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream
        .write_all(b"GET /beats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer
        .rsplit("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .trim()
        .parse()?)
}
