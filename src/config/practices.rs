//! The GP practices that decide who may join: a file with its source and its day, read at start-up.
//!
//! A practice code says nothing by its form, so the file lists the practices of the area and those of Wales; any
//! other practice lies outside. Never asks anybody; a newer list is a newer file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use letterbox_domain::joining::Practice;
use serde::Deserialize;

use super::Mode;

/// What ships: made-up practices, for the demonstration and the tests.
const SAMPLE: &str = include_str!("../../config/practices.json");

/// More than there are GP practices in England and Wales; a larger file is not what it should be.
const MOST: usize = 20_000;

/// Which practices lie in the area, and which in Wales.
#[derive(Clone, Debug, Default)]
pub struct Practices {
    area: HashSet<String>,
    wales: HashSet<String>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PracticesError {
    /// It cannot be read.
    #[error("joining.practices_file {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// It is not of the documented form.
    #[error("joining.practices_file: {0}")]
    Wrong(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    source: String,
    #[serde(rename = "as_of")]
    _as_of: NaiveDate,
    #[serde(default)]
    demonstration: bool,
    area: Vec<Entry>,
    wales: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    code: String,
    #[serde(rename = "name")]
    _name: String,
}

impl Practices {
    /// The configured list, or the sample.
    ///
    /// # Errors
    /// [`PracticesError`], also for a sample where patients are real.
    pub fn load(file: Option<&Path>, mode: Mode) -> Result<Self, PracticesError> {
        match file {
            None => Self::parse(SAMPLE, mode.is_sandbox()),
            Some(path) => Self::parse(&read(path)?, mode.is_sandbox()),
        }
    }

    /// The made-up practices that ship.
    ///
    /// # Errors
    /// Never with the file that ships; a test says so.
    pub fn sample() -> Result<Self, PracticesError> {
        Self::parse(SAMPLE, true)
    }

    fn parse(text: &str, sample_will_do: bool) -> Result<Self, PracticesError> {
        let wrong = |why: &str| Err(PracticesError::Wrong(why.to_owned()));
        let body: Body =
            serde_json::from_str(text).map_err(|error| PracticesError::Wrong(error.to_string()))?;
        if body.demonstration && !sample_will_do {
            return wrong("it is a sample for demonstrations, and patients here are real");
        }
        if body.source.trim().is_empty() {
            return wrong("say in `source` where the list comes from");
        }
        let listed = body.area.len() + body.wales.len();
        if body.area.is_empty() || listed > MOST {
            return wrong("the area needs at least one practice, and the list ends at 20,000");
        }
        let (area, wales) = (codes(&body.area)?, codes(&body.wales)?);
        match area.intersection(&wales).next() {
            Some(code) => wrong(&format!("{code} is listed both in the area and in Wales")),
            None => Ok(Self { area, wales }),
        }
    }

    /// Where the practice with this code lies.
    #[must_use]
    pub fn place(&self, code: Option<&str>) -> Practice {
        let code = code.map(tidy).unwrap_or_default();
        if code.is_empty() {
            Practice::None
        } else if self.area.contains(&code) {
            Practice::InArea
        } else if self.wales.contains(&code) {
            Practice::Wales
        } else {
            Practice::Elsewhere
        }
    }
}

fn read(path: &Path) -> Result<String, PracticesError> {
    std::fs::read_to_string(path).map_err(|source| PracticesError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn tidy(code: &str) -> String {
    code.trim().to_ascii_uppercase()
}

fn codes(entries: &[Entry]) -> Result<HashSet<String>, PracticesError> {
    let mut found = HashSet::new();
    for entry in entries {
        let code = tidy(&entry.code);
        let plain =
            (3..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain || !found.insert(code) {
            let why = format!("{:?} is no practice code, or stands twice", entry.code);
            return Err(PracticesError::Wrong(why));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r6_3_a_practice_is_in_the_area_in_wales_or_elsewhere_by_the_list_alone() {
        let practices = Practices::sample().expect("what ships can be read");
        for (code, place) in [
            (Some("Z00001"), Practice::InArea),
            (Some(" z00004 "), Practice::InArea),
            (Some("Z09001"), Practice::Wales),
            (Some("W95001"), Practice::Elsewhere),
            (Some("Z99999"), Practice::Elsewhere),
            (Some(""), Practice::None),
            (None, Practice::None),
        ] {
            assert_eq!(practices.place(code), place, "{code:?}");
        }
    }

    #[test]
    fn a_sample_never_decides_over_real_patients() {
        assert!(Practices::parse(SAMPLE, false).is_err());
        let real = SAMPLE.replace("\"demonstration\": true", "\"demonstration\": false");
        assert!(Practices::parse(&real, false).is_ok());
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        let list = |area: &str, wales: &str| {
            format!(
                r#"{{"source": "a test", "as_of": "2026-11-22", "area": [{area}], "wales": [{wales}]}}"#
            )
        };
        let one = r#"{"code": "Z00001", "name": "One"}"#;
        assert!(Practices::parse(&list(one, ""), false).is_ok());
        for wrong in [
            list("", one),
            list(one, one),
            list(&format!("{one}, {one}"), ""),
            list(r#"{"code": "Z 1", "name": "One"}"#, ""),
            list(one, "").replace("a test", " "),
            list(one, "").replace("2026-11-22", "lately"),
        ] {
            assert!(Practices::parse(&wrong, false).is_err(), "{wrong}");
        }
    }
}
