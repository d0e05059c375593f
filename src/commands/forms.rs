//! What trusts send, parsed: bounds checked once, hashed the same way on every node.
//! Knows nothing of HTTP or JSON bodies; the API converts into these.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::person::NhsNumber;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Refusal;

/// A trust's own id of something: 1 to 64 printable characters without spaces.
pub fn check_source_id(field: &'static str, id: &str) -> Result<(), Refusal> {
    let printable = id.chars().all(|c| c.is_ascii_graphic());
    if id.is_empty() || id.len() > 64 || !printable {
        return Err(Refusal::field(
            field,
            "Use 1 to 64 printable ASCII characters without spaces.",
        ));
    }
    Ok(())
}

/// One line of text for people: bounded, and without control characters, which could forge lines or directions.
pub fn check_line(field: &'static str, text: &str, most: usize) -> Result<(), Refusal> {
    let length = text.chars().count();
    if text.trim().is_empty() || length > most {
        return Err(Refusal::field(
            field,
            format!("Use 1 to {most} characters."),
        ));
    }
    if text.chars().any(is_unprintable) {
        return Err(Refusal::field(
            field,
            "Leave out control characters, line breaks and direction marks.",
        ));
    }
    Ok(())
}

/// As [`check_line`], where the field may be missing.
pub fn check_optional_line(
    field: &'static str,
    text: Option<&str>,
    most: usize,
) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| check_line(field, text, most))
}

/// Several lines of text for people.
pub fn check_text(field: &'static str, text: Option<&str>, most: usize) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    if text.trim().is_empty() || text.chars().count() > most {
        return Err(Refusal::field(
            field,
            format!("Use 1 to {most} characters, or leave the field out."),
        ));
    }
    if text
        .chars()
        .any(|c| is_unprintable(c) && c != '\n' && c != '\r' && c != '\t')
    {
        return Err(Refusal::field(
            field,
            "Leave out control characters and direction marks.",
        ));
    }
    Ok(())
}

/// Control characters and the marks that turn text around (a name could look like another).
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A letter as a trust sends it. `Debug` is not derived: titles and texts are clinical.
#[derive(Clone, PartialEq, Eq)]
pub struct NewLetter {
    /// The trust's id of it.
    pub source_id: String,
    /// The trust's id of the patient.
    pub patient: String,
    /// Repeated by the trust, so that a mixed-up id is caught.
    pub nhs_number: NhsNumber,
    /// Appointment or clinic.
    pub kind: LetterKind,
    /// Shown in the patient's list.
    pub title: String,
    /// Decides the roll-out and whether carers may see it.
    pub specialty: String,
    /// Shown with the letter.
    pub clinic: String,
    /// Whom to phone about it.
    pub contact_phone: String,
    /// When.
    pub contact_hours: Option<String>,
    /// The trust's id of the appointment it is about.
    pub appointment: Option<String>,
    /// When its author finished it.
    pub authored_at: DateTime<Utc>,
    /// Not a draft.
    pub signed: bool,
    /// The whole text, as an accessible alternative to the file.
    pub full_text: Option<String>,
    /// Hidden until then.
    pub release_at: Option<DateTime<Utc>>,
    /// SHA-256 of the file, which has been inspected and stored before.
    pub document: [u8; 32],
}

impl NewLetter {
    /// The longest that a clinician may keep a letter back: longer is a letter forgotten.
    const MOST_HELD: TimeDelta = TimeDelta::days(31);

    /// Everything that can be said without looking at what is stored. `now` is the database's.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        check_source_id("/source_id", &self.source_id)?;
        check_source_id("/patient", &self.patient)?;
        check_line("/title", &self.title, 200)?;
        check_line("/specialty", &self.specialty, 100)?;
        check_line("/clinic", &self.clinic, 200)?;
        check_line("/contact/phone", &self.contact_phone, 40)?;
        check_optional_line("/contact/hours", self.contact_hours.as_deref(), 100)?;
        if let Some(appointment) = &self.appointment {
            check_source_id("/appointment", appointment)?;
        }
        check_text("/full_text", self.full_text.as_deref(), 100_000)?;
        self.check_times(now)
    }

    fn check_times(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        // Trusts' clocks are not ours: a few minutes ahead is no mistake.
        if self.authored_at > now + TimeDelta::minutes(10) {
            return Err(Refusal::field(
                "/authored_at",
                "This is in the future. Send the time at which it was signed.",
            ));
        }
        if self.release_at.is_some_and(|at| at > now + Self::MOST_HELD) {
            return Err(Refusal::field(
                "/release_at",
                "A letter can be held for at most 31 days.",
            ));
        }
        Ok(())
    }

    /// Hash of the parsed form and the file's hash: the same letter sent again has the same, whatever its JSON
    /// looked like.
    #[must_use]
    pub fn form_sha256(&self) -> [u8; 32] {
        let mut hash = FormHash::new("letter 1");
        hash.text(&self.source_id)
            .text(&self.patient)
            .text(&self.nhs_number.expose())
            .text(self.kind.name());
        hash.text(&self.title)
            .text(&self.specialty)
            .text(&self.clinic)
            .text(&self.contact_phone);
        hash.option(self.contact_hours.as_deref())
            .option(self.appointment.as_deref());
        hash.time(Some(self.authored_at))
            .flag(self.signed)
            .option(self.full_text.as_deref());
        hash.time(self.release_at).bytes(&self.document);
        hash.done()
    }

    /// As kept in the quarantine: everything but the file.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "source_id": self.source_id, "patient": self.patient, "nhs_number": self.nhs_number.expose(),
            "kind": self.kind.name(), "title": self.title, "specialty": self.specialty, "clinic": self.clinic,
            "contact": { "phone": self.contact_phone, "hours": self.contact_hours },
            "appointment": self.appointment, "authored_at": self.authored_at, "signed": self.signed,
            "full_text": self.full_text, "release_at": self.release_at,
            "document": { "sha256": hex::encode(self.document) },
        })
    }
}

/// Hashes fields so that no two different forms give the same bytes: each with its length, absent ones marked.
pub(super) struct FormHash(Sha256);

impl FormHash {
    pub(super) fn new(what: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.text(what);
        hash
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn option(&mut self, text: Option<&str>) -> &mut Self {
        self.flag(text.is_some()).text(text.unwrap_or_default())
    }

    pub(super) fn time(&mut self, at: Option<DateTime<Utc>>) -> &mut Self {
        self.flag(at.is_some())
            .number(at.map_or(0, |at| at.timestamp_micros()))
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    pub(super) fn flag(&mut self, flag: bool) -> &mut Self {
        self.bytes(&[u8::from(flag)])
    }

    pub(super) fn done(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
