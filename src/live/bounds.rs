//! Where in the peer's bytes a frame begins and ends, so that reading never runs ahead of the frame at hand.
//!
//! Between two messages the framer then holds nothing, and need not exist: an idle session keeps no buffer. Judges
//! nothing: a header that makes no sense is for the framer to refuse, and ends the session.

/// The longest header: two bytes, eight of length, four of mask.
const MAX_HEADER: usize = 14;
/// The shortest header that a browser may send: its frames are masked.
const MIN_HEADER: usize = 6;

/// A place in the stream of frames.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    header: [u8; MAX_HEADER],
    /// How much of the header is known; nothing once the whole frame has passed.
    known: usize,
    /// Bytes of the frame's payload that have not passed yet.
    payload: u64,
    /// Inside a message of several frames.
    fragmented: bool,
}

impl Bounds {
    /// How many bytes may be read before the next frame could begin; never none.
    pub(super) fn wanted(&self) -> usize {
        let wanted = match self.missing() {
            0 => usize::try_from(self.payload).unwrap_or(usize::MAX),
            missing => missing,
        };
        wanted.max(1)
    }

    /// Takes note of bytes that have been read.
    pub(super) fn passed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let missing = self.missing();
            let taken = bytes.len().min(match missing {
                0 => usize::try_from(self.payload).unwrap_or(usize::MAX),
                missing => missing,
            });
            let (now, later) = bytes.split_at(taken);
            if missing == 0 {
                self.payload -= taken as u64;
            } else {
                self.header[self.known..self.known + taken].copy_from_slice(now);
                self.known += taken;
                if self.missing() == 0 {
                    self.begin();
                }
            }
            if self.missing() == 0 && self.payload == 0 {
                self.known = 0;
            }
            bytes = later;
        }
    }

    /// Whether every message that has begun has ended.
    pub(super) const fn at_rest(&self) -> bool {
        self.known == 0 && !self.fragmented
    }

    /// The header is whole: how long is the frame, and does its message go on?
    fn begin(&mut self) {
        let (extended, length) = self.header.split_at(2);
        self.payload = match extended[1] & 0x7F {
            126 => u64::from(u16::from_be_bytes([length[0], length[1]])),
            127 => length[..8]
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            short => u64::from(short),
        };
        let is_control = extended[0] & 0x08 != 0;
        if !is_control {
            self.fragmented = extended[0] & 0x80 == 0;
        }
    }

    /// Bytes of the header that are not known yet.
    fn missing(&self) -> usize {
        let whole = match self.header[1] & 0x7F {
            _ if self.known < 2 => MIN_HEADER,
            126 => MIN_HEADER + 2,
            127 => MIN_HEADER + 8,
            _ => MIN_HEADER,
        };
        whole - self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINAL_TEXT: u8 = 0x81;
    const FIRST_TEXT: u8 = 0x01;
    const LAST_PART: u8 = 0x80;
    const PING: u8 = 0x89;

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..126 => bytes.push(0x80 | u8::try_from(payload).expect("short")),
            126..0x1_0000 => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload).expect("middling").to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(std::iter::repeat_n(0x81, payload));
        bytes
    }

    /// Reads `stream` as a session does, at most `most` bytes at a time; answers where it was at rest.
    fn rests(stream: &[u8], most: usize) -> Vec<usize> {
        let (mut bounds, mut at, mut rests) = (Bounds::default(), 0, Vec::new());
        while at < stream.len() {
            let count = bounds.wanted().min(most).min(stream.len() - at);
            bounds.passed(&stream[at..at + count]);
            at += count;
            if bounds.at_rest() {
                rests.push(at);
            }
        }
        rests
    }

    #[test]
    fn it_rests_after_every_frame_however_the_bytes_come() {
        for lengths in [[0, 1, 125], [126, 127, 1_024], [0xFFFF, 0x1_0000, 0]] {
            let (mut stream, mut ends) = (Vec::new(), Vec::new());
            for length in lengths {
                stream.extend(frame(FINAL_TEXT, length));
                ends.push(stream.len());
            }
            for most in [1, 2, 5, 6, 7, 64, usize::MAX] {
                assert_eq!(rests(&stream, most), ends, "{lengths:?} by {most}");
            }
        }
    }

    #[test]
    fn a_message_in_parts_has_no_rest_inside_not_even_after_a_ping() {
        let parts = [
            (FIRST_TEXT, 10),
            (PING, 4),
            (0x00, 0),
            (LAST_PART, 200),
            (PING, 0),
        ];
        let frames: Vec<Vec<u8>> = parts
            .iter()
            .map(|(first, length)| frame(*first, *length))
            .collect();
        let stream = frames.concat();
        let whole = stream.len();
        for most in [1, 6, usize::MAX] {
            assert_eq!(rests(&stream, most), [whole - 6, whole], "by {most}");
        }
    }

    #[test]
    fn several_frames_at_once_are_told_apart() {
        let mut stream = frame(FINAL_TEXT, 3);
        stream.extend(frame(FIRST_TEXT, 300));
        stream.extend(frame(LAST_PART, 0));
        let mut bounds = Bounds::default();
        bounds.passed(&stream[..stream.len() - 1]);
        assert!(!bounds.at_rest());
        assert_eq!(bounds.wanted(), 1);
        bounds.passed(&stream[stream.len() - 1..]);
        assert!(bounds.at_rest());
        assert_eq!(bounds.wanted(), MIN_HEADER);
    }
}
