//! Lines of the SMTP dialogue, bounded while they are read.

use std::io::Result;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// One line as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Without its CRLF.
    Whole(Vec<u8>),
    /// Longer than allowed; the rest was read and thrown away.
    TooLong,
    /// Ended by a lone line feed, or held a lone carriage return: RFC 5321 forbids both, and taking them
    /// as line ends is how mails are smuggled.
    Bare,
    /// The peer has closed.
    End,
}

/// Reads to the next line feed, keeping at most `max` bytes.
pub(super) async fn read_line<R: AsyncRead + Unpin>(
    reader: &mut BufReader<R>,
    max: usize,
) -> Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let chunk = reader.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(Line::End);
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let used = end.map_or(chunk.len(), |at| at + 1);
        too_long |= line.len() + used > max;
        if !too_long {
            line.extend_from_slice(&chunk[..used]);
        }
        reader.consume(used);
        if end.is_some() {
            return Ok(finish(line, too_long));
        }
    }
}

fn finish(mut line: Vec<u8>, too_long: bool) -> Line {
    if too_long {
        return Line::TooLong;
    }
    if !line.ends_with(b"\r\n") {
        return Line::Bare;
    }
    line.truncate(line.len() - 2);
    if line.contains(&b'\r') {
        return Line::Bare;
    }
    Line::Whole(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn lines_are_bounded_and_must_end_in_cr_lf() {
        let long = [b'a'; 40];
        let input = [b"NOOP\r\n", &long[..], b"\r\nbare\nbare\rcr\r\nlast"].concat();
        let mut reader = BufReader::with_capacity(8, &input[..]);
        let mut lines = Vec::new();
        for _ in 0..5 {
            lines.push(
                read_line(&mut reader, 16)
                    .await
                    .expect("memory can be read"),
            );
        }
        let expected = [
            Line::Whole(b"NOOP".to_vec()),
            Line::TooLong,
            Line::Bare,
            Line::Bare,
            Line::End,
        ];
        assert_eq!(lines, expected);
    }
}
