//! A trust tells of a patient: new, or a higher version of what it told before.
//! Never changes an NHS number and never joins two people: what does not fit is laid before a person.

use letterbox_domain::id::PatientId;
use letterbox_domain::person::{BirthDate, NhsNumber, PersonName, PostalAddress};
use serde_json::{Value, json};

use super::forms::{FormHash, check_line, check_optional_line, check_source_id};
use super::quarantined::lay;
use super::{Code, CommandError, Refusal, TrustSystem};
use crate::store::history::{self, Entry};
use crate::store::people::{self, KnownPatient, PatientRow};
use crate::store::{Store, StoreError, Tx};

/// Formats that a patient may need instead of standard print.
pub const FORMAT_NEEDS: [&str; 4] = ["large_print", "braille", "audio", "easy_read"];

/// A patient as a trust tells of them. `Debug` is not derived: it is somebody.
#[derive(Clone)]
pub struct NewPatient {
    /// The trust's id of the patient.
    pub source_id: String,
    /// Rises with every change at the trust.
    pub source_version: i64,
    /// Valid.
    pub nhs_number: NhsNumber,
    /// Given and family name.
    pub name: PersonName,
    /// Date of birth.
    pub birth_date: BirthDate,
    /// Where post goes; empty where no address is known.
    pub address_lines: Vec<String>,
    /// Where staff can phone.
    pub phone: Option<String>,
    /// One of [`FORMAT_NEEDS`].
    pub format_need: Option<String>,
}

/// What came of a rising version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is new and has been written.
    Applied,
    /// This version with this content was here already.
    Unchanged,
    /// A higher version is here; nothing changed.
    Stale,
}

impl Applied {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
        }
    }

    /// What a version means when `known` is here; `None` where it contradicts it.
    pub(super) fn judge(known: (i64, &[u8]), version: i64, sha256: &[u8; 32]) -> Option<Self> {
        match version.cmp(&known.0) {
            std::cmp::Ordering::Less => Some(Self::Stale),
            std::cmp::Ordering::Equal => (known.1 == sha256).then_some(Self::Unchanged),
            std::cmp::Ordering::Greater => Some(Self::Applied),
        }
    }
}

/// Takes in what a trust tells of a patient.
///
/// # Errors
/// [`Code::InvalidField`]; [`Code::SourceVersionReused`] and [`Code::PatientMismatch`], which are also laid before
/// a person at the trust.
pub async fn put_patient(
    store: &Store,
    sender: &TrustSystem,
    patient: &NewPatient,
) -> Result<Applied, CommandError> {
    patient.check()?;
    let sha256 = patient.sha256();
    let work = |tx| attempt(tx, sender, patient, sha256);
    let done = match store.run("patients.put", &sender.principal(), work).await {
        // The version is its own key: asked again, it is either here or written now.
        Err(CommandError::Store(StoreError::CommitUnknown)) => {
            store.run("patients.put", &sender.principal(), work).await
        }
        settled => settled,
    };
    // A refusal is committed together with its row in the quarantine.
    done?.map_err(CommandError::from)
}

async fn attempt(
    tx: Tx,
    sender: &TrustSystem,
    patient: &NewPatient,
    sha256: [u8; 32],
) -> Result<Result<Applied, Refusal>, CommandError> {
    let nhs_number = patient.nhs_number.expose();
    let meant = people::meant(&tx, sender.trust, &patient.source_id, &nhs_number).await?;
    match patient.decide(&meant, &sha256) {
        Ok((Applied::Applied, known)) => {
            write(&tx, sender, patient, known, &sha256).await?;
            Ok(Ok(Applied::Applied))
        }
        Ok((other, _)) => Ok(Ok(other)),
        Err(refusal) => {
            let source_id = Some(patient.source_id.as_str());
            lay(
                &tx,
                sender.trust,
                "patient",
                source_id,
                &refusal,
                patient.to_json(),
            )
            .await?;
            Ok(Err(refusal))
        }
    }
}

async fn write(
    tx: &Tx,
    sender: &TrustSystem,
    patient: &NewPatient,
    known: Option<&KnownPatient>,
    sha256: &[u8; 32],
) -> Result<(), StoreError> {
    let nhs_number = patient.nhs_number.expose();
    let row = patient.row(&nhs_number);
    let id = match known {
        Some(known) => {
            people::update(tx, known.id, &row).await?;
            known.id
        }
        None => {
            let id = PatientId::random();
            people::insert(tx, id, &row).await?;
            id
        }
    };
    people::note_source(
        tx,
        sender.trust,
        &patient.source_id,
        id,
        patient.source_version,
        sha256,
    )
    .await?;
    let entry = Entry {
        trust: sender.trust.as_uuid(),
        patient: Some(id.as_uuid()),
        subject_kind: "patient",
        subject: id.as_uuid(),
        kind: if known.is_some() {
            "patient.updated"
        } else {
            "patient.told"
        },
        policy_version: None,
        facts: json!({ "source_version": patient.source_version, "form": hex::encode(sha256) }),
    };
    history::append(tx, &sender.principal(), &[entry]).await
}

impl NewPatient {
    fn check(&self) -> Result<(), Refusal> {
        check_source_id("/source_id", &self.source_id)?;
        if self.source_version < 1 {
            return Err(Refusal::field(
                "/source_version",
                "Use a number from 1 that rises with every change.",
            ));
        }
        if self.address_lines.len() > PostalAddress::MAX_LINES {
            return Err(Refusal::field(
                "/address_lines",
                format!("Use at most {} lines.", PostalAddress::MAX_LINES),
            ));
        }
        // Whether post can be sent there is judged when something is to be posted: a patient with an odd address
        // is still a patient, and a person is asked then.
        for line in &self.address_lines {
            check_line("/address_lines", line, 100)?;
        }
        check_optional_line("/phone", self.phone.as_deref(), 40)?;
        match self.format_need.as_deref() {
            Some(need) if !FORMAT_NEEDS.contains(&need) => Err(Refusal::field(
                "/format_need",
                format!("Use one of {}.", FORMAT_NEEDS.join(", ")),
            )),
            _ => Ok(()),
        }
    }

    /// Whom this is about and what becomes of it.
    fn decide<'a>(
        &self,
        meant: &'a [KnownPatient],
        sha256: &[u8; 32],
    ) -> Result<(Applied, Option<&'a KnownPatient>), Refusal> {
        let known = match meant {
            [] => return Ok((Applied::Applied, None)),
            [known] => known,
            // The trust's id leads to one person, the NHS number to another.
            _ => return Err(mismatch()),
        };
        if known.nhs_number != self.nhs_number.expose() {
            return Err(mismatch());
        }
        let judged = match &known.source {
            Some((version, body)) => Applied::judge((*version, body), self.source_version, sha256),
            None => Some(Applied::Applied),
        };
        match judged {
            None => Err(version_reused()),
            Some(Applied::Applied) if self.is_other_person(known) => Err(mismatch()),
            Some(judged) => Ok((judged, Some(known))),
        }
    }

    /// Names change and birth dates are corrected, but not both at once; and a number alone proves nobody.
    fn is_other_person(&self, known: &KnownPatient) -> bool {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        let born = self.birth_date.expose() == known.birth_date;
        let family = same(self.name.family(), &known.family_name);
        let given = same(self.name.given(), &known.given_name);
        !(born && (family || given) || family && given)
    }

    fn row<'a>(&'a self, nhs_number: &'a str) -> PatientRow<'a> {
        PatientRow {
            nhs_number,
            given_name: self.name.given(),
            family_name: self.name.family(),
            birth_date: self.birth_date.expose(),
            address_lines: &self.address_lines,
            phone: self.phone.as_deref(),
            format_need: self.format_need.as_deref(),
        }
    }

    fn sha256(&self) -> [u8; 32] {
        let mut hash = FormHash::new("patient 1");
        hash.text(&self.source_id)
            .text(&self.nhs_number.expose())
            .text(self.name.given())
            .text(self.name.family());
        hash.text(&self.birth_date.expose().to_string())
            .number(self.address_lines.len() as i64);
        for line in &self.address_lines {
            hash.text(line);
        }
        hash.option(self.phone.as_deref())
            .option(self.format_need.as_deref());
        hash.done()
    }

    /// As kept in the quarantine.
    fn to_json(&self) -> Value {
        json!({
            "source_id": self.source_id, "source_version": self.source_version,
            "nhs_number": self.nhs_number.expose(),
            "name": { "given": self.name.given(), "family": self.name.family() },
            "birth_date": self.birth_date.expose(), "address_lines": self.address_lines,
            "phone": self.phone, "format_need": self.format_need,
        })
    }
}

fn mismatch() -> Refusal {
    let detail = "This NHS number and this id belong to different people here. Find out who is meant; nothing was changed.";
    Refusal::new(Code::PatientMismatch, detail).at("/nhs_number")
}

pub(super) fn version_reused() -> Refusal {
    let detail = "This version is here with other content. Send the change under a higher version.";
    Refusal::new(Code::SourceVersionReused, detail).at("/source_version")
}
