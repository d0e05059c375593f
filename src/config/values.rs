//! The values that settings are made of, and how each is read from text.
//!
//! Never prints a secret: they are `SecretString`s from the moment they are read.

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use chrono::NaiveTime;
use secrecy::SecretString;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// What this installation is for. Everything that would be dangerous with real patients asks it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Real patients.
    Production,
    /// Invented patients, a movable clock, sign-in by pressing a name.
    Demo,
    /// A test's own database.
    Test,
    /// A load test's own database.
    Bench,
}

impl Mode {
    /// True where the patients are invented: the clock may move, data may be seeded, durability may be given up.
    pub fn is_sandbox(self) -> bool {
        self != Self::Production
    }
}

/// A network such as `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// True if the peer belongs to this network. An IPv4 peer seen through IPv6 counts as IPv4.
    pub fn contains(&self, peer: IpAddr) -> bool {
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let shift = 32 - u32::from(self.bits);
                u64::from(ours.to_bits()) >> shift == u64::from(theirs.to_bits()) >> shift
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let shift = 128 - u32::from(self.bits);
                ours.to_bits().checked_shr(shift) == theirs.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a network: write 10.0.0.0/8 or a single address");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse().map_err(|_| wrong())?,
            None => most,
        };
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// Reads "250ms", "25s", "15min", "2h" or "1d".
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration: write 250ms, 25s, 15min, 2h or 1d");
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let amount: u64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit_ms: u64 = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    amount
        .checked_mul(unit_ms)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

pub(super) fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(input)?).map_err(D::Error::custom)
}

pub(super) fn durations<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Duration>, D::Error> {
    each(input, parse_duration)
}

pub(super) fn networks<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Network>, D::Error> {
    each(input, str::parse)
}

pub(super) fn strings<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    each(input, |text| Ok(text.to_owned()))
}

pub(super) fn time_of_day<'de, D: Deserializer<'de>>(input: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(input)?;
    NaiveTime::parse_from_str(&text, "%H:%M")
        .map_err(|_| D::Error::custom(format!("\"{text}\" is not a time of day: write 17:30")))
}

/// A path, or `None` where the setting is empty.
pub(super) fn path<'de, D: Deserializer<'de>>(input: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(text(input)?.map(PathBuf::from))
}

/// A text, or `None` where the setting is empty.
pub(super) fn text<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(input)?;
    Ok((!text.is_empty()).then_some(text))
}

/// A secret, or `None` where the setting is empty; "file:PATH" stands for the first line of that file.
pub(super) fn secret<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<SecretString>, D::Error> {
    let Some(value) = text(input)? else {
        return Ok(None);
    };
    let Some(path) = value.strip_prefix("file:") else {
        return Ok(Some(value.into()));
    };
    let content = std::fs::read_to_string(path).map_err(|error| {
        D::Error::custom(format!("the secret's file {path} cannot be read: {error}"))
    })?;
    match content.lines().next() {
        Some(line) if !line.is_empty() => Ok(Some(line.to_owned().into())),
        _ => Err(D::Error::custom(format!(
            "the secret's file {path} is empty"
        ))),
    }
}

/// A list from a file, or the same separated by commas from the environment.
fn each<'de, D, T>(input: D, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
{
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list, or a text separated by commas")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let parts = text.split(',').map(str::trim);
            Ok(parts
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    let texts = input.deserialize_any(Texts)?;
    texts
        .iter()
        .map(|text| parse(text).map_err(D::Error::custom))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_and_never_without() {
        for (text, ms) in [
            ("250ms", 250),
            ("25s", 25_000),
            ("15min", 900_000),
            ("2 h", 7_200_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in [
            "",
            "25",
            "s",
            "-1s",
            "1.5s",
            "25 seconds",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_contains_its_own_and_nobody_else() {
        let holds = |network: &str, peer: &str| {
            let network: Network = network.parse().expect("a network");
            network.contains(peer.parse().expect("an address"))
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9"));
        assert!(holds("192.0.2.7", "192.0.2.7"));
        assert!(!holds("192.0.2.7", "192.0.2.8"));
        assert!(
            holds("127.0.0.0/8", "::ffff:127.0.0.1"),
            "an IPv4 peer seen through IPv6"
        );
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("2001:db8::/32", "2001:db9::1"));
        assert!(!holds("::/0", "192.0.2.1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/x", "::1/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
