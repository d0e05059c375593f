//! One SMTP dialogue: EHLO, MAIL, RCPT, DATA, and a mail that is on disk before it is acknowledged.

use std::io::Result;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::IDLE;
use super::wire::{Line, read_line};
use crate::entry::{Entry, MailAccepted};
use crate::faults::{SmtpStage, take};
use crate::mime::Message;
use crate::world::World;

/// RFC 5321 §4.5.3.1: command lines 512 octets, text lines 1,000, both with their CRLF. Commands get
/// twice that, because parameters may lengthen them.
const COMMAND_MAX: usize = 1_024;
const TEXT_LINE_MAX: usize = 1_000;
/// Announced by SIZE. Our mails are a few KB; a mebibyte is already a mistake.
const MESSAGE_MAX: usize = 1024 * 1024;
/// After this much of a refused message the connection is closed instead of read on.
const PATIENCE_MAX: usize = 8 * MESSAGE_MAX;
/// RFC 5321 asks for at least a hundred.
const RECIPIENTS_MAX: usize = 100;
/// What the journal keeps of a mail.
const KEPT_MAX: usize = 64 * 1024;
/// Protocol mistakes before we hang up.
const MISTAKES_MAX: u32 = 20;

enum Next {
    Go,
    Close,
}

pub(super) struct Session {
    stream: BufReader<TcpStream>,
    world: Arc<World>,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
    mistakes: u32,
}

impl Session {
    pub(super) fn new(stream: TcpStream, world: Arc<World>) -> Self {
        Self {
            stream: BufReader::new(stream),
            world,
            greeted: false,
            from: None,
            to: Vec::new(),
            mistakes: 0,
        }
    }

    pub(super) async fn run(mut self, busy: bool) -> Result<()> {
        let latency_ms = self.world.faults().smtp.latency_ms;
        sleep(Duration::from_millis(latency_ms)).await;
        if busy {
            return self.say("421 4.3.2 too many connections").await;
        }
        if let Some(reply) = self.planned(SmtpStage::Connect) {
            return self.say(&reply).await;
        }
        self.say("220 sandbox.example.test ESMTP").await?;
        while self.mistakes < MISTAKES_MAX {
            let Ok(line) = timeout(IDLE, read_line(&mut self.stream, COMMAND_MAX)).await else {
                return self.say("421 4.4.2 idle for too long").await;
            };
            match line? {
                Line::End => return Ok(()),
                Line::TooLong => self.mistake("500 5.5.2 line too long").await?,
                Line::Bare => self.mistake("500 5.5.2 lines end in CR LF").await?,
                Line::Whole(line) => {
                    if let Next::Close = self.command(&line).await? {
                        return Ok(());
                    }
                }
            }
        }
        self.say("421 4.7.0 too many mistakes").await
    }

    async fn command(&mut self, line: &[u8]) -> Result<Next> {
        let line = String::from_utf8_lossy(line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(true).await?,
            "HELO" => self.hello(false).await?,
            "MAIL" => self.mail(rest).await?,
            "RCPT" => self.rcpt(rest).await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.forget();
                self.say("250 2.0.0 forgotten").await?;
            }
            "NOOP" => self.say("250 2.0.0 fine").await?,
            "VRFY" => self.say("252 2.1.5 send and see").await?,
            "QUIT" => {
                self.say("221 2.0.0 goodbye").await?;
                return Ok(Next::Close);
            }
            _ => self.mistake("502 5.5.1 not implemented").await?,
        }
        Ok(Next::Go)
    }

    async fn hello(&mut self, extended: bool) -> Result<()> {
        self.forget();
        self.greeted = true;
        if !extended {
            return self.say("250 sandbox.example.test").await;
        }
        let text = format!(
            "250-sandbox.example.test\r\n250-PIPELINING\r\n250-SIZE {MESSAGE_MAX}\r\n\
             250-8BITMIME\r\n250 ENHANCEDSTATUSCODES"
        );
        self.say(&text).await
    }

    async fn mail(&mut self, rest: &str) -> Result<()> {
        if !self.greeted || self.from.is_some() {
            return self.mistake("503 5.5.1 not now").await;
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.mistake("501 5.5.4 MAIL FROM:<address>").await;
        };
        let size = parameters
            .split_ascii_whitespace()
            .find_map(|p| p.strip_prefix("SIZE="));
        let size = size.and_then(|size| size.parse().ok());
        if size.is_some_and(|size: usize| size > MESSAGE_MAX) {
            return self.say("552 5.3.4 too large").await;
        }
        if let Some(reply) = self.planned(SmtpStage::Mail) {
            return self.refuse("mail", &reply).await;
        }
        self.from = Some(from);
        self.say("250 2.1.0 fine").await
    }

    async fn rcpt(&mut self, rest: &str) -> Result<()> {
        if self.from.is_none() {
            return self.mistake("503 5.5.1 MAIL first").await;
        }
        let to = path(rest, "TO:")
            .map(|(to, _)| to)
            .filter(|to| to.contains('@'));
        let Some(to) = to else {
            return self.mistake("501 5.1.3 RCPT TO:<address>").await;
        };
        if self.to.len() == RECIPIENTS_MAX {
            return self.say("452 4.5.3 too many recipients").await;
        }
        let known = self.world.faults().smtp.refuse.get(&to).cloned();
        if let Some(reply) = known.or_else(|| self.planned(SmtpStage::Rcpt)) {
            self.to.push(to);
            self.refuse("rcpt", &reply).await?;
            self.to.pop();
            return Ok(());
        }
        self.to.push(to);
        self.say("250 2.1.5 fine").await
    }

    async fn data(&mut self) -> Result<Next> {
        if self.to.is_empty() {
            self.mistake("503 5.5.1 RCPT first").await?;
            return Ok(Next::Go);
        }
        if let Some(reply) = self.planned(SmtpStage::Data) {
            self.refuse("data", &reply).await?;
            return Ok(Next::Go);
        }
        self.say("354 end with a dot on a line of its own").await?;
        let Some(received) = self.text().await? else {
            return Ok(Next::Close);
        };
        let next = match received {
            Ok(raw) => self.take_on(raw).await?,
            Err(reply) => {
                self.refuse("end", reply).await?;
                Next::Go
            }
        };
        self.forget();
        Ok(next)
    }

    /// Reads to the final dot. `None`: the peer has gone, or would not stop.
    async fn text(&mut self) -> Result<Option<std::result::Result<Vec<u8>, &'static str>>> {
        let (mut raw, mut wrong, mut read) = (Vec::new(), None, 0);
        loop {
            let Ok(line) = timeout(IDLE, read_line(&mut self.stream, TEXT_LINE_MAX)).await else {
                return Ok(None);
            };
            match line? {
                Line::End => return Ok(None),
                Line::TooLong => wrong = Some("554 5.6.0 a line is longer than 998 octets"),
                Line::Bare => wrong = Some("554 5.6.0 lines end in CR LF"),
                Line::Whole(line) if line == b"." => break,
                Line::Whole(line) => {
                    read += line.len() + 2;
                    if raw.len() + line.len() + 2 > MESSAGE_MAX {
                        wrong = Some("552 5.3.4 too large");
                    } else {
                        let text = line.strip_prefix(b".").unwrap_or(&line);
                        raw.extend_from_slice(text);
                        raw.extend_from_slice(b"\r\n");
                    }
                }
            }
            if read > PATIENCE_MAX {
                return Ok(None);
            }
        }
        Ok(Some(wrong.map_or(Ok(raw), Err)))
    }

    async fn take_on(&mut self, raw: Vec<u8>) -> Result<Next> {
        if let Some(reply) = self.planned(SmtpStage::End) {
            self.refuse("end", &reply).await?;
            return Ok(Next::Go);
        }
        if take(&mut self.world.faults().smtp.cut_at_dot_next) {
            return Ok(Next::Close);
        }
        let mail = self.accepted(&raw);
        if let Err(error) = self.world.record(vec![Entry::MailAccepted(mail)]).await {
            eprintln!("letterbox-sandbox: {error:#}");
            self.say("451 4.3.0 cannot write it down").await?;
            return Ok(Next::Go);
        }
        let (delay_ms, lose) = {
            let knobs = &mut self.world.faults().smtp;
            (knobs.answer_delay_ms, take(&mut knobs.lose_answer_next))
        };
        sleep(Duration::from_millis(delay_ms)).await;
        if lose {
            return Ok(Next::Close);
        }
        self.say("250 2.0.0 accepted").await?;
        Ok(Next::Go)
    }

    fn accepted(&mut self, raw: &[u8]) -> MailAccepted {
        let text = String::from_utf8_lossy(&raw[..raw.len().min(KEPT_MAX)]).into_owned();
        let message = Message::parse(&text);
        MailAccepted {
            envelope_from: self.from.take().unwrap_or_default(),
            envelope_to: std::mem::take(&mut self.to),
            message_id: message.header("Message-ID"),
            subject: message.header("Subject"),
            size_bytes: raw.len() as u64,
            sha256: hex::encode(Sha256::digest(raw)),
            raw: text,
        }
    }

    /// The reply of a turned knob, when it is this stage's turn.
    fn planned(&self, stage: SmtpStage) -> Option<String> {
        let knobs = &mut self.world.faults().smtp;
        if knobs.fail_at != stage || !take(&mut knobs.fail_next) {
            return None;
        }
        let usual = || "451 4.3.0 try again later".to_owned();
        Some(knobs.fail_reply.clone().unwrap_or_else(usual))
    }

    async fn refuse(&mut self, stage: &str, reply: &str) -> Result<()> {
        let entry = Entry::MailRefused {
            stage: stage.into(),
            to: self.to.clone(),
            reply: reply.into(),
        };
        self.world.note(entry).await;
        self.say(reply).await
    }

    async fn mistake(&mut self, reply: &str) -> Result<()> {
        self.mistakes += 1;
        self.say(reply).await
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn say(&mut self, reply: &str) -> Result<()> {
        let text = format!("{reply}\r\n");
        let write = self.stream.get_mut().write_all(text.as_bytes());
        timeout(IDLE, write).await.map_err(std::io::Error::other)?
    }
}

/// The address between `<` and `>` after the keyword, and the parameters after it.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let head = rest.get(..keyword.len())?;
    let rest = rest.get(keyword.len()..)?.trim_start().strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    let clean = address.len() <= 256 && address.bytes().all(|b| b.is_ascii_graphic());
    (head.eq_ignore_ascii_case(keyword) && clean).then(|| (address.to_owned(), parameters))
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn a_path_is_an_address_in_angle_brackets() {
        assert_eq!(path("FROM:<>", "FROM:"), Some((String::new(), "")));
        let (to, parameters) = path("to: <a@example.test> SIZE=5", "TO:").expect("well formed");
        assert_eq!((to.as_str(), parameters), ("a@example.test", " SIZE=5"));
        for bad in [
            "",
            "TO",
            "TO:a@example.test",
            "TO:<a b@example.test>",
            "TO:<a",
        ] {
            assert_eq!(path(bad, "TO:"), None, "{bad}");
        }
    }
}
