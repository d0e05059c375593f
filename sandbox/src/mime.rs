//! Makes a mail readable: its headers, and the plain text a person would see. It is only for showing;
//! nothing here decides anything about a mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Multipart messages inside multipart messages; ours have one level.
const DEPTH_MAX: u8 = 4;

/// A mail taken apart.
pub(crate) struct Message<'a> {
    headers: Vec<(&'a str, String)>,
    body: &'a str,
}

impl<'a> Message<'a> {
    /// Splits the headers, unfolding them, from the body.
    pub(crate) fn parse(raw: &'a str) -> Self {
        let (head, body) = raw.split_once("\r\n\r\n").unwrap_or((raw, ""));
        let mut headers: Vec<(&str, String)> = Vec::new();
        for line in head.split("\r\n") {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name, value.trim().to_owned()));
            }
        }
        Self { headers, body }
    }

    /// The first header of this name, decoded.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| decode_words(value))
    }

    /// The plain text: the message's own, or that of its first plain part.
    pub(crate) fn text(&self) -> String {
        self.plain(DEPTH_MAX).unwrap_or_default()
    }

    fn plain(&self, depth: u8) -> Option<String> {
        let kind = self
            .header("Content-Type")
            .unwrap_or_else(|| "text/plain".into());
        let lower = kind.to_ascii_lowercase();
        if lower.starts_with("text/plain") {
            return Some(self.decoded());
        }
        if !lower.starts_with("multipart/") || depth == 0 {
            return None;
        }
        let at = lower.find("boundary=")? + "boundary=".len();
        let boundary = kind.get(at..)?.split(';').next()?.trim().trim_matches('"');
        let delimiter = format!("--{boundary}");
        let parts = self.body.split(delimiter.as_str()).skip(1);
        let mut parts = parts.take_while(|part| !part.starts_with("--"));
        parts.find_map(|part| Message::parse(part.strip_prefix("\r\n")?).plain(depth - 1))
    }

    fn decoded(&self) -> String {
        let encoding = self.header("Content-Transfer-Encoding").unwrap_or_default();
        match encoding.to_ascii_lowercase().as_str() {
            "quoted-printable" => quoted_printable(self.body, false),
            "base64" => {
                let joined: String = self.body.split_ascii_whitespace().collect();
                let bytes = STANDARD.decode(joined).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => self.body.to_owned(),
        }
    }
}

/// Decodes `=?utf-8?b?…?=` and `=?utf-8?q?…?=`; other charsets stay as they are.
fn decode_words(value: &str) -> String {
    let mut text = String::new();
    let mut after_word = false;
    for word in value.split(' ') {
        let decoded = decode_word(word);
        // White space between two encoded words is not part of the text (RFC 2047 §6.2).
        if !(text.is_empty() || after_word && decoded.is_some()) {
            text.push(' ');
        }
        after_word = decoded.is_some();
        text += decoded.as_deref().unwrap_or(word);
    }
    text
}

fn decode_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, data) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    match encoding {
        "b" | "B" => String::from_utf8(STANDARD.decode(data).ok()?).ok(),
        "q" | "Q" => Some(quoted_printable(data, true)),
        _ => None,
    }
}

fn quoted_printable(text: &str, in_header: bool) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let octet = (*first == b'=').then(|| octet(tail)).flatten();
        match octet {
            Some(octet) => {
                bytes.push(octet);
                rest = &tail[2..];
            }
            None if in_header && *first == b'_' => bytes.push(b' '),
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octet(tail: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_of_two_parts_shows_its_plain_text() {
        let raw = "Subject: =?utf-8?b?w4R0aA==?=\r\n =?utf-8?q?_ein?= end\r\n\
            Content-Type: multipart/alternative; boundary=\"xx\"\r\n\r\n--xx\r\n\
            Content-Type: text/html\r\n\r\n<p>no</p>\r\n--xx\r\n\
            Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            Caf=C3=A9 =\r\nopen 3=3D3\r\n--xx--\r\n";
        let message = Message::parse(raw);
        assert_eq!(message.header("subject").as_deref(), Some("Äth ein end"));
        assert_eq!(message.text(), "Café open 3=3\r\n");
    }

    #[test]
    fn rubbish_is_shown_as_it_came() {
        for raw in [
            "",
            "\r\n\r\n",
            "Subject: =?utf-8?b?%%?=\r\n\r\n=ZZ =",
            "=\r\n",
        ] {
            let message = Message::parse(raw);
            drop((message.header("Subject"), message.text()));
        }
    }
}
