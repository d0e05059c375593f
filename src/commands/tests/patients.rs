//! What trusts tell of patients: versions, corrections, and people who must not be mixed up.

use chrono::NaiveDate;
use letterbox_domain::person::{BirthDate, PersonName};

use super::code;
use crate::commands::put_patient::{Applied, NewPatient, put_patient};
use crate::commands::{Code, quarantined::quarantined};
use crate::testing::{Hospital, TestDb, test_number};

fn asha(version: i64) -> NewPatient {
    NewPatient {
        source_id: "PAS-7".to_owned(),
        source_version: version,
        nhs_number: test_number(7),
        name: PersonName::parse("Asha", "Patel").expect("a name"),
        birth_date: BirthDate::new(NaiveDate::from_ymd_opt(1962, 2, 3).expect("a date"))
            .expect("a birth date"),
        address_lines: ["1 Castle Street", "Hereford", "HR1 2AA"]
            .map(str::to_owned)
            .to_vec(),
        phone: None,
        format_need: None,
    }
}

#[tokio::test]
async fn a_rising_version_is_applied_once_and_a_lower_one_changes_nothing() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let put = async |patient: NewPatient| {
        put_patient(db.store(), &hospital.system, &patient)
            .await
            .expect("taken in")
    };
    assert_eq!(put(asha(2)).await, Applied::Applied);
    assert_eq!(put(asha(2)).await, Applied::Unchanged);
    let moved = |version| NewPatient {
        address_lines: vec!["2 New Road".to_owned(), "HR2 6AA".to_owned()],
        ..asha(version)
    };
    assert_eq!(put(moved(1)).await, Applied::Stale);
    let at_home = "SELECT count(*) FROM patients WHERE address_lines[1] = '1 Castle Street'";
    assert_eq!(hospital.count(at_home).await, 1);
    assert_eq!(put(moved(3)).await, Applied::Applied);
    assert_eq!(hospital.count(at_home).await, 0);
    assert_eq!(hospital.count("SELECT count(*) FROM patients").await, 1);
}

#[tokio::test]
async fn the_same_version_with_another_body_is_refused_and_laid_before_somebody() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    put_patient(db.store(), &hospital.system, &asha(1))
        .await
        .expect("taken in");
    let other = NewPatient {
        phone: Some("01432 000000".to_owned()),
        ..asha(1)
    };
    let refused = put_patient(db.store(), &hospital.system, &other).await;
    assert_eq!(code(refused), Code::SourceVersionReused);
    let listed = quarantined(db.store(), &hospital.system, None)
        .await
        .expect("a list");
    assert_eq!(
        listed
            .iter()
            .map(|row| row.code.as_str())
            .collect::<Vec<_>>(),
        ["source_version_reused"]
    );
    let after = quarantined(db.store(), &hospital.system, Some(listed[0].id))
        .await
        .expect("a list");
    assert!(after.is_empty());
    assert_eq!(
        hospital
            .count("SELECT count(*) FROM patients WHERE phone IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test]
async fn another_persons_number_never_joins_two_people() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let neighbour = Hospital::open(&db).await;
    put_patient(db.store(), &hospital.system, &asha(1))
        .await
        .expect("taken in");
    let born = |year| {
        BirthDate::new(NaiveDate::from_ymd_opt(year, 6, 1).expect("a date")).expect("a birth date")
    };
    let bob = NewPatient {
        source_id: "PAS-8".to_owned(),
        name: PersonName::parse("Bob", "Price").expect("a name"),
        birth_date: born(1980),
        ..asha(1)
    };
    // The same number under another name and birth date, at this trust, at another one, and as a "correction".
    assert_eq!(
        code(put_patient(db.store(), &hospital.system, &bob).await),
        Code::PatientMismatch
    );
    assert_eq!(
        code(put_patient(db.store(), &neighbour.system, &bob).await),
        Code::PatientMismatch
    );
    let corrected = NewPatient {
        source_id: "PAS-7".to_owned(),
        source_version: 2,
        ..bob.clone()
    };
    assert_eq!(
        code(put_patient(db.store(), &hospital.system, &corrected).await),
        Code::PatientMismatch
    );
    // Another number under an id that is somebody's.
    let swapped = NewPatient {
        nhs_number: test_number(8),
        source_version: 2,
        ..asha(1)
    };
    assert_eq!(
        code(put_patient(db.store(), &hospital.system, &swapped).await),
        Code::PatientMismatch
    );
    // A married name is a correction; so is a birth date, under the same name.
    let married = NewPatient {
        source_version: 2,
        name: PersonName::parse("Asha", "Price").expect("a name"),
        ..asha(1)
    };
    assert_eq!(
        put_patient(db.store(), &hospital.system, &married)
            .await
            .expect("taken in"),
        Applied::Applied
    );
    let known_elsewhere = NewPatient {
        source_id: "X-1".to_owned(),
        ..married
    };
    let linked = put_patient(db.store(), &neighbour.system, &known_elsewhere).await;
    assert_eq!(linked.expect("taken in"), Applied::Applied);
    assert_eq!(hospital.count("SELECT count(*) FROM patients").await, 1);
    assert_eq!(
        hospital.count("SELECT count(*) FROM patient_sources").await,
        2
    );
}

#[tokio::test]
async fn many_trusts_telling_of_the_same_new_person_make_one_patient() {
    let db = TestDb::new().await;
    let mut telling = Vec::new();
    for _ in 0..6 {
        let hospital = Hospital::open(&db).await;
        let store = db.store().clone();
        telling.push(tokio::spawn(async move {
            put_patient(&store, &hospital.system, &asha(1)).await
        }));
    }
    for told in telling {
        assert_eq!(
            told.await.expect("no panic").expect("taken in"),
            Applied::Applied
        );
    }
    let hospital = Hospital::open(&db).await;
    assert_eq!(hospital.count("SELECT count(*) FROM patients").await, 1);
    assert_eq!(
        hospital.count("SELECT count(*) FROM patient_sources").await,
        6
    );
}
