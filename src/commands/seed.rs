//! Fills a database that is not real: the demonstration's cast, or many patients for a load test.
//! Refused outside demo, test and bench mode.

use std::io::Write;

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{NaiveDate, NaiveTime};
use letterbox_domain::policy::Policy;
use letterbox_domain::time::CutOffs;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::store::seed::{LoadPatient, Person, Seeded, Trust};
use crate::store::{Principal, Store, StoreError};

/// What a persona does in the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A patient played by whoever watches.
    Patient,
    /// A carer with an account and no mailbox of her own.
    Carer,
    /// Staff of the booking office.
    Staff,
    /// A patient who opens what arrives by himself or herself.
    PlayedPatient,
}

/// Somebody who can be signed in as, each on a host name of their own.
#[derive(Clone, Copy, Debug)]
pub struct Persona {
    /// Host name before `.localhost`; also the subject of the identity and the trust's id of the patient.
    pub key: &'static str,
    pub given: &'static str,
    pub family: &'static str,
    pub part: Part,
    /// Ten digits from the range reserved for tests; empty for those without a mailbox.
    pub nhs_number: &'static str,
    /// The trust's id of the patient; empty for those without a mailbox.
    pub patient: &'static str,
    pub address_lines: &'static [&'static str],
}

/// The demonstration's people and what its hospital needs to act.
#[derive(Clone, Debug)]
pub struct Cast {
    pub personas: &'static [Persona],
    /// The booking system's key at Wye Valley, fresh with every seed.
    pub api_key: String,
    pub clinic_code: &'static str,
    /// Tomorrow, in Europe/London.
    pub clinic_day: NaiveDate,
}

/// Under which issuer the demonstration's identities stand.
pub const DEMO_ISSUER: &str = "urn:letterbox:demonstration";

/// Names tomorrow's nine o'clock session of the eye clinic.
const CLINIC_CODE: &str = "EYE-0900";

const fn patient(
    key: &'static str,
    given: &'static str,
    family: &'static str,
    part: Part,
    nhs_number: &'static str,
    address_lines: &'static [&'static str],
) -> Persona {
    Persona {
        key,
        given,
        family,
        part,
        nhs_number,
        patient: key,
        address_lines,
    }
}

const fn other(
    key: &'static str,
    given: &'static str,
    family: &'static str,
    part: Part,
) -> Persona {
    Persona {
        key,
        given,
        family,
        part,
        nhs_number: "",
        patient: "",
        address_lines: &[],
    }
}

/// Everybody in the demonstration. NHS numbers are from the range that belongs to nobody.
pub const PERSONAS: &[Persona] = &[
    patient(
        "margaret",
        "Margaret",
        "Preece",
        Part::Patient,
        "9990000018",
        &["12 Castle Street", "Hereford", "HR1 2AA"],
    ),
    patient(
        "gwyn",
        "Gwyn",
        "Parry",
        Part::Patient,
        "9990000026",
        &["Orchard Cottage", "Bredwardine", "Hereford", "HR3 6AA"],
    ),
    other("susan", "Susan", "Hughes", Part::Carer),
    other("booking", "Booking", "Office", Part::Staff),
    patient(
        "p1",
        "Alun",
        "Watkins",
        Part::PlayedPatient,
        "9990000034",
        &["1 High Street", "Ledbury", "HR8 1AA"],
    ),
    patient(
        "p2",
        "Bronwen",
        "Lewis",
        Part::PlayedPatient,
        "9990000042",
        &["2 High Street", "Ledbury", "HR8 1AA"],
    ),
    patient(
        "p3",
        "Clive",
        "Morgan",
        Part::PlayedPatient,
        "9990000050",
        &["3 Broad Street", "Ross-on-Wye", "HR9 5AA"],
    ),
    patient(
        "p4",
        "Doreen",
        "Price",
        Part::PlayedPatient,
        "9990000069",
        &["4 Broad Street", "Ross-on-Wye", "HR9 5AA"],
    ),
    patient(
        "p5",
        "Edwin",
        "Bayliss",
        Part::PlayedPatient,
        "9990000077",
        &["5 Corn Square", "Leominster", "HR6 8AA"],
    ),
    patient(
        "p6",
        "Freda",
        "Gwilliam",
        Part::PlayedPatient,
        "9990000085",
        &["6 Corn Square", "Leominster", "HR6 8AA"],
    ),
    patient(
        "p7",
        "George",
        "Hodges",
        Part::PlayedPatient,
        "9990000093",
        &["7 Church Lane", "Bromyard", "HR7 4AA"],
    ),
    patient(
        "p8",
        "Hilda",
        "Jenkins",
        Part::PlayedPatient,
        "9990000107",
        &["8 Church Lane", "Bromyard", "HR7 4AA"],
    ),
    patient(
        "p9",
        "Ivor",
        "Kendrick",
        Part::PlayedPatient,
        "9990000115",
        &["9 Bridge Street", "Kington", "HR5 3AA"],
    ),
    patient(
        "p10",
        "Joyce",
        "Layton",
        Part::PlayedPatient,
        "9990000123",
        &["10 Bridge Street", "Kington", "HR5 3AA"],
    ),
    patient(
        "p11",
        "Keith",
        "Meredith",
        Part::PlayedPatient,
        "9990000131",
        &["11 Bye Street", "Ledbury", "HR8 2AA"],
    ),
];

/// Whom the stand-in for NHS login knows as somebody who has joined before: its subject is the persona's key.
const NHS_LOGIN_PERSONAS: [&str; 3] = ["margaret", "gwyn", "susan"];

/// Members who sign in by NHS login only. It says something else of them now: another NHS number, another GP.
const NHS_LOGIN_MEMBERS: [Persona; 2] = [
    patient(
        "nhs-changed",
        "Ivor",
        "Tandy",
        Part::Patient,
        "9990000344",
        &["14 Eign Street", "Hereford", "HR4 0AA"],
    ),
    patient(
        "nhs-moved",
        "Moira",
        "Whitcombe",
        Part::Patient,
        "9990000336",
        &["3 The Homend", "Ledbury", "HR8 1AA"],
    ),
];

const TRUSTS: [Trust; 3] = [
    Trust {
        ods_code: "RLQ",
        name: "Wye Valley NHS Trust",
        short_name: "Wye Valley",
        live: true,
    },
    Trust {
        ods_code: "RWP",
        name: "Worcestershire Acute Hospitals NHS Trust",
        short_name: "Worcestershire Acute",
        live: false,
    },
    Trust {
        ods_code: "R1A",
        name: "Herefordshire and Worcestershire Health and Care NHS Trust",
        short_name: "Health and Care",
        live: false,
    },
];

/// Why nothing was seeded.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("made-up patients are only written in demo, test and bench mode: set `mode`")]
    RealDatabase,
    #[error("the system gives no random numbers")]
    NoRandomNumbers,
    #[error("made-up NHS numbers suffice for {0} patients at most")]
    TooMany(usize),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the session file cannot be written")]
    File(#[from] std::io::Error),
}

/// Writes the demonstration's trusts, people, one carer's grant, and tomorrow's clinic, which everybody knows of.
/// `nhs_login` is the issuer of the stand-in, where there is one.
///
/// # Errors
/// [`SeedError`]; the database is then as it was.
pub async fn seed_demo(store: &Store, nhs_login: Option<&str>) -> Result<Cast, SeedError> {
    let mut tx = begin(store).await?;
    let api_key = new_api_key()?;
    for (index, trust) in TRUSTS.iter().enumerate() {
        let id = tx.trust(trust, &Policy::demo()).await?;
        if index == 0 {
            tx.api_key(id, "booking system", &sha256(&api_key)).await?;
        }
    }
    for (index, persona) in PERSONAS.iter().enumerate() {
        tx.person(&person(persona, index)).await?;
    }
    if let Some(issuer) = nhs_login {
        for key in NHS_LOGIN_PERSONAS {
            tx.identity(issuer, key).await?;
        }
        for (index, persona) in (PERSONAS.len()..).zip(&NHS_LOGIN_MEMBERS) {
            let member = person(persona, index);
            tx.person(&Person { issuer, ..member }).await?;
        }
    }
    tx.grant(
        "susan",
        "margaret",
        "Daughter",
        &["appointments", "appointment_letters", "clinic_letters"],
    )
    .await?;
    for role in ["booking_clerk", "manager", "information_governance"] {
        tx.staff("booking", role).await?;
    }
    let invited = PERSONAS
        .iter()
        .filter(|one| one.key == "gwyn" || one.part == Part::PlayedPatient);
    let keys: Vec<&str> = invited.map(|one| one.patient).collect();
    let clinic_day = tx.clinic(CLINIC_CODE, &keys).await?;
    tx.visit("margaret").await?;
    tx.commit().await?;
    Ok(Cast {
        personas: PERSONAS,
        api_key,
        clinic_code: CLINIC_CODE,
        clinic_day,
    })
}

/// Writes `count` patients with accounts and open sessions, and a file with one line each for the load tester. The trust
/// takes its post at `cut_off`, every working day.
///
/// # Errors
/// [`SeedError`].
pub async fn seed_load(
    store: &Store,
    count: usize,
    origin: &str,
    cut_off: NaiveTime,
    file: &mut (impl Write + Send),
) -> Result<(), SeedError> {
    let numbers = nhs_numbers(count).ok_or(SeedError::TooMany(count))?;
    let mut tx = begin(store).await?;
    let policy = Policy {
        cut_offs: CutOffs::every_working_day_at(cut_off),
        ..Policy::standard()
    };
    let trust = tx.trust(&TRUSTS[0], &policy).await?;
    let api_key = new_api_key()?;
    tx.api_key(trust, "load test", &sha256(&api_key)).await?;
    writeln!(file, "{}", json!({ "api_key": api_key, "origin": origin }))?;
    let mut patients = Vec::with_capacity(count);
    for (index, nhs_number) in numbers.into_iter().enumerate() {
        let token = random_text()?;
        let patient = LoadPatient {
            id: Uuid::now_v7(),
            source_id: format!("load-{index}"),
            nhs_number,
            token_sha256: sha256(&token),
        };
        let cookie = format!("__Host-letterbox={token}");
        let line = json!({ "patient": patient.source_id, "nhs_number": patient.nhs_number,
                           "box": patient.id, "cookie": cookie });
        writeln!(file, "{line}")?;
        patients.push(patient);
    }
    tx.load_patients(trust, &patients).await?;
    tx.commit().await?;
    file.flush()?;
    Ok(())
}

async fn begin(store: &Store) -> Result<Seeded, SeedError> {
    if !store.mode().is_sandbox() {
        return Err(SeedError::RealDatabase);
    }
    Ok(Seeded::on(store.begin(&Principal::SERVER).await?))
}

fn person(persona: &Persona, index: usize) -> Person<'_> {
    Person {
        key: persona.key,
        issuer: DEMO_ISSUER,
        given: persona.given,
        family: persona.family,
        staff: persona.part == Part::Staff,
        nhs_number: Some(persona.nhs_number).filter(|number| !number.is_empty()),
        address_lines: persona.address_lines,
        mobile: format!("+447700900{index:03}"),
    }
}

fn new_api_key() -> Result<String, SeedError> {
    Ok(format!("lbk_{}", random_text()?))
}

/// 256 random bits as text.
fn random_text() -> Result<String, SeedError> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| SeedError::NoRandomNumbers)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// The first `count` numbers of the range reserved for tests whose check digit exists, after the cast's.
fn nhs_numbers(count: usize) -> Option<Vec<String>> {
    let valid = (1_000..1_000_000).filter_map(|body: u32| {
        let digits = format!("999{body:06}");
        let sum: u32 = digits
            .bytes()
            .zip((2..=10).rev())
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        let check = match 11 - sum % 11 {
            11 => 0,
            10 => return None,
            check => check,
        };
        Some(format!("{digits}{check}"))
    });
    let numbers: Vec<String> = valid.take(count).collect();
    (numbers.len() == count).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use letterbox_domain::person::NhsNumber;

    #[test]
    fn every_made_up_nhs_number_is_valid_and_nobodys() {
        let cast = PERSONAS
            .iter()
            .map(|persona| persona.nhs_number.to_owned())
            .filter(|number| !number.is_empty());
        for number in cast.chain(nhs_numbers(2_000).expect("there are enough")) {
            assert!(number.starts_with("999"), "{number}");
            assert!(NhsNumber::parse(&number).is_ok(), "{number}");
        }
        assert!(nhs_numbers(1_000_000).is_none());
    }
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use crate::testing::TestDb;

    #[tokio::test]
    async fn the_demonstration_has_its_cast_and_tomorrows_clinic_of_twelve() {
        let db = TestDb::new().await;
        let cast = seed_demo(db.store(), None)
            .await
            .expect("an empty database takes the cast");
        let tx = db
            .store()
            .begin(&Principal::SERVER)
            .await
            .expect("the store answers");
        let counted = "SELECT (SELECT count(*) FROM patients), (SELECT count(*) FROM appointments WHERE clinic_code IS NOT NULL), (SELECT count(*) FROM grants)";
        let row = tx
            .query_one(counted, &[])
            .await
            .expect("they can be counted");
        assert_eq!(
            (
                row.get::<_, i64>(0),
                row.get::<_, i64>(1),
                row.get::<_, i64>(2)
            ),
            (13, 12, 1)
        );
        let holder = db
            .store()
            .key_holder(&sha256(&cast.api_key))
            .await
            .expect("the store answers");
        assert!(holder.is_some(), "the booking system's key works");
    }

    #[tokio::test]
    async fn a_load_test_gets_patients_who_are_signed_in() {
        let db = TestDb::new().await;
        let mut file = Vec::new();
        seed_load(
            db.store(),
            50,
            "http://localhost:1",
            NaiveTime::MIN,
            &mut file,
        )
        .await
        .expect("fifty patients are written");
        let lines = String::from_utf8(file).expect("it is text");
        assert_eq!(lines.lines().count(), 51);
        let tx = db
            .store()
            .begin(&Principal::SERVER)
            .await
            .expect("the store answers");
        let row = tx
            .query_one(
                "SELECT count(*) FROM sessions s JOIN memberships m USING (account_id)",
                &[],
            )
            .await;
        assert_eq!(row.expect("they can be counted").get::<_, i64>(0), 50);
    }
}
