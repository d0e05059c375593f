//! A patient's open page, as far as the socket goes: `letterbox.v1`, resumed by its cursors.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use super::browser::Browser;
use super::node::Node;

/// From the ticket to the server's first word.
const HELLO: Duration = Duration::from_secs(20);

/// Where each box stands, by its name on the wire.
pub(crate) type Positions = BTreeMap<String, String>;

pub(crate) struct Page {
    socket: WebSocketStream<TcpStream>,
    pub(crate) positions: Positions,
    /// Number of the last event frame in this connection.
    last: u64,
}

/// Why there is no socket: the HTTP status, 0 when there was no answer at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u16);

/// What a page hears.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    Event {
        id: Uuid,
        kind: String,
        item: Uuid,
    },
    Reset,
    Drain {
        after: Duration,
    },
    Closed {
        code: u16,
    },
    /// The connection broke without a goodbye.
    Broken,
    /// Nothing within the time asked for.
    Nothing,
}

impl Page {
    /// Opens a socket that goes on from `positions`.
    pub(crate) async fn open(
        browser: &Browser,
        node: &Node,
        positions: &Positions,
    ) -> Result<Self, Refused> {
        let ticket = ticket(browser, node).await?;
        let socket = handshake(node).await?;
        let mut page = Self {
            socket,
            positions: positions.clone(),
            last: 0,
        };
        let hello = json!({ "t": "hi", "ticket": ticket, "pos": positions });
        page.say(&hello).await?;
        let ok = timeout(HELLO, page.frame()).await.map_err(|_| Refused(0))?;
        let ok = ok.ok_or(Refused(0))?;
        if ok["t"] != "ok" {
            return Err(Refused(0));
        }
        for each in ok["boxes"].as_array().into_iter().flatten() {
            page.stand(each["b"].as_str(), each["pos"].as_str());
        }
        Ok(page)
    }

    /// The next thing that matters; pings are answered on the way and events acknowledged.
    pub(crate) async fn hear(&mut self, limit: Duration) -> Heard {
        timeout(limit, self.hear_on())
            .await
            .unwrap_or(Heard::Nothing)
    }

    async fn hear_on(&mut self) -> Heard {
        loop {
            let frame = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    serde_json::from_str::<Value>(&text).expect("frames are JSON")
                }
                Some(Ok(Message::Close(close))) => {
                    return Heard::Closed {
                        code: close.map_or(1005, |close| close.code.into()),
                    };
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Heard::Broken,
            };
            if let Some(heard) = self.take(&frame).await {
                return heard;
            }
        }
    }

    async fn take(&mut self, frame: &Value) -> Option<Heard> {
        match frame["t"].as_str()? {
            "ev" => {
                let n = frame["n"].as_u64()?;
                assert_eq!(n, self.last + 1, "events are numbered without a gap");
                self.last = n;
                self.stand(frame["b"].as_str(), frame["c"].as_str());
                // A connection that breaks here shows at the next read.
                self.say(&json!({ "t": "ack", "n": n })).await.ok();
                let event = &frame["e"];
                let id = |name: &str| event[name].as_str().and_then(|id| id.parse().ok());
                Some(Heard::Event {
                    id: id("id")?,
                    kind: event["k"].as_str()?.to_owned(),
                    item: id("item")?,
                })
            }
            "reset" => {
                self.stand(frame["b"].as_str(), frame["c"].as_str());
                Some(Heard::Reset)
            }
            "drain" => Some(Heard::Drain {
                after: Duration::from_millis(frame["after"].as_u64()?),
            }),
            "p" => {
                for (name, cursor) in frame["c"].as_object().into_iter().flatten() {
                    self.stand(Some(name), cursor.as_str());
                }
                self.say(&json!({ "t": "p" })).await.ok();
                None
            }
            _ => None,
        }
    }

    fn stand(&mut self, name: Option<&str>, cursor: Option<&str>) {
        if let Some((name, cursor)) = name.zip(cursor) {
            self.positions.insert(name.to_owned(), cursor.to_owned());
        }
    }

    async fn frame(&mut self) -> Option<Value> {
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).ok();
            }
        }
        None
    }

    pub(crate) async fn say(&mut self, frame: &Value) -> Result<(), Refused> {
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .map_err(|_| Refused(0))
    }
}

async fn ticket(browser: &Browser, node: &Node) -> Result<String, Refused> {
    let asked = browser
        .request("POST", node, "/live/ticket")
        .header("Origin", node.url());
    let answer = asked.send().await.map_err(|_| Refused(0))?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.map_err(|_| Refused(status))?;
    body["ticket"]
        .as_str()
        .map(str::to_owned)
        .ok_or(Refused(status))
}

async fn handshake(node: &Node) -> Result<WebSocketStream<TcpStream>, Refused> {
    let url = format!("ws://127.0.0.1:{}/live", node.port());
    let mut request = url.into_client_request().expect("a request");
    let headers = request.headers_mut();
    headers.insert("Origin", node.url().parse().expect("a header"));
    headers.insert(
        "Sec-WebSocket-Protocol",
        "letterbox.v1".parse().expect("a header"),
    );
    let stream = timeout(HELLO, TcpStream::connect(("127.0.0.1", node.port()))).await;
    let stream = stream.map_err(|_| Refused(0))?.map_err(|_| Refused(0))?;
    match timeout(HELLO, tokio_tungstenite::client_async(request, stream)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(answer))) => Err(Refused(answer.status().as_u16())),
        Ok(Err(_)) | Err(_) => Err(Refused(0)),
    }
}
