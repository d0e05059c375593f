//! Coming from NHS login: joining, coming back, and everybody who is kindly refused.

use std::time::Duration;

use letterbox_domain::joining::Proofing;
use letterbox_domain::person::{BirthDate, Email, Mobile, PersonName};
use letterbox_domain::route::{Route, RouteReason};

use super::{publish, published};
use crate::commands::arrive::{Arrival, Arriving, Purpose, Sorry, Verified, Visit, arrive};
use crate::commands::join::{Choice, Decided, decide};
use crate::commands::put_patient::{Applied, NewPatient, put_patient};
use crate::config::Practices;
use crate::store::Principal;
use crate::testing::{Hospital, TestDb, test_number};
use letterbox_domain::id::AccountId;

pub(super) const ISSUER: &str = "https://nhs.example";
pub(super) const HEREFORD: &str = "Z00001";
pub(super) const MONMOUTH: &str = "Z09001";
pub(super) const BRISTOL: &str = "Z05001";

/// Somebody of the area, as the hospital of [`Hospital`] knows its patients.
pub(super) fn person(number: u32) -> Verified {
    Verified {
        issuer: ISSUER.to_owned(),
        subject: format!("sub-{number}"),
        proofing: Proofing::P9,
        name: PersonName::parse("Test", "Patient").ok(),
        born: "1950-01-01".parse::<BirthDate>().ok(),
        nhs_number: Some(test_number(number).expose()),
        email: Email::parse(&format!("person-{number}@example.test")).ok(),
        mobile: Mobile::parse("07700 900123").ok(),
        practice_code: Some(HEREFORD.to_owned()),
    }
}

pub(super) fn to_sign_in() -> Visit {
    Visit {
        purpose: Purpose::SignIn,
        account: None,
        public_computer: false,
        next: "/".to_owned(),
    }
}

/// Arrives with `secret` (one byte, repeated) in case there is something to decide.
pub(super) async fn came(db: &TestDb, who: &Verified, visit: &Visit, secret: u8) -> Arrival {
    let practices = Practices::sample().expect("the sample");
    let arriving = Arriving {
        practices: &practices,
        visit,
        secret_sha256: &[secret; 32],
        decide_within: Duration::from_secs(1800),
    };
    arrive(db.store(), who, arriving).await.expect("judged")
}

pub(super) async fn chose(db: &TestDb, secret: u8, choice: Choice) -> Decided {
    decide(db.store(), &[secret; 32], choice)
        .await
        .expect("settled")
}

pub(super) fn account(decided: Decided) -> AccountId {
    match decided {
        Decided::Account { account, .. } => account,
        other => panic!("no account: {other:?}"),
    }
}

pub(super) async fn joins(db: &TestDb, number: u32) -> AccountId {
    let secret = u8::try_from(number).expect("small");
    let arrival = came(db, &person(number), &to_sign_in(), secret).await;
    assert_eq!(arrival, Arrival::Decide);
    account(chose(db, secret, Choice::Letters).await)
}

pub(super) async fn count(hospital: &Hospital, sql: &str) -> i64 {
    hospital.count(sql).await
}

pub(super) const MEMBERS: &str = "SELECT count(*) FROM memberships WHERE left_at IS NULL";
pub(super) const ACCOUNTS: &str = "SELECT count(*) FROM accounts";
pub(super) const NOTED: &str = "SELECT count(*) FROM identity_mismatches WHERE closed_at IS NULL";

#[tokio::test]
async fn r3_2_r30_2_from_joining_on_letters_come_here_and_earlier_ones_stay_where_they_were() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.patient(1).await;
    let before = publish(&db, &hospital, &[hospital.letter(&asha, "L-1")]).await;
    assert_eq!(published(&before.results[0]).reason, RouteReason::NonMember);
    let member = joins(&db, 1).await;
    let after = publish(&db, &hospital, &[hospital.letter(&asha, "L-2")]).await;
    let answer = published(&after.results[0]);
    assert_eq!(
        (answer.route, answer.reason),
        (Route::Portal, RouteReason::Member)
    );
    let tx = db
        .store()
        .begin_snapshot(&Principal::SERVER)
        .await
        .expect("begins");
    let seen = crate::store::pages::letters(&tx, asha.id, None, 10)
        .await
        .expect("a list");
    let titles = seen.iter().map(|letter| letter.id).collect::<Vec<_>>();
    assert_eq!(
        titles,
        [answer.letter_id],
        "only what was sent after joining"
    );
    let back = came(&db, &person(1), &to_sign_in(), 99).await;
    assert_eq!(back, Arrival::SignIn(member));
    hospital.assert_sound().await;
}

#[tokio::test]
async fn r13_1_consent_is_kept_as_the_patients_own_with_its_wording_and_the_contacts_are_verified()
{
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    joins(&db, 1).await;
    for (what, sql) in [
        (
            "consent",
            "SELECT count(*) FROM memberships WHERE consent_version = 1 AND practice_code = 'Z00001' AND joined_at <= app_now()",
        ),
        (
            "contacts",
            "SELECT count(*) FROM accounts WHERE email = 'person-1@example.test' AND email_verified_at IS NOT NULL
                AND mobile = '+447700900123' AND mobile_verified_at IS NOT NULL AND display_name = 'Test Patient'",
        ),
        (
            "identity",
            "SELECT count(*) FROM identities WHERE issuer = 'https://nhs.example' AND subject = 'sub-1'",
        ),
        (
            "mailbox",
            "SELECT count(*) FROM patients WHERE family_name = 'Patient' AND birth_date = '1950-01-01'",
        ),
        (
            "history",
            "SELECT count(*) FROM history WHERE kind = 'membership.began' AND facts ->> 'consent_version' = '1'",
        ),
        (
            // Whoever sat beside them: who agreed is the account of the patient's own NHS login, and nobody else is named.
            "whose consent it is",
            "SELECT count(*) FROM memberships m JOIN identities i ON i.account_id = m.account_id
                JOIN patients p ON p.id = m.patient_id JOIN accounts a ON a.id = m.account_id
                WHERE i.subject = 'sub-1' AND a.display_name = p.given_name || ' ' || p.family_name",
        ),
        (
            "everybody there is",
            "SELECT count(*) FROM accounts",
        ),
        (
            "audit",
            "SELECT count(*) FROM audit WHERE action = 'signed_in' AND allowed",
        ),
    ] {
        assert_eq!(count(&hospital, sql).await, 1, "{what}");
    }
    assert_eq!(count(&hospital, "SELECT count(*) FROM joinings").await, 0);
    let personal = "SELECT count(*) FROM history WHERE facts::text LIKE '%Patient%' OR facts::text LIKE '%example.test%'";
    assert_eq!(count(&hospital, personal).await, 0);
}

#[tokio::test]
async fn r12_1_a_temporary_number_joins_like_any_other_before_any_hospital_knows_it() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    // Nothing in a number says that it is temporary: whatever is well-formed and vouched for by NHS login will do.
    for (n, number) in (1_u32..).zip(["9434765919", "4010232137"]) {
        let who = Verified {
            nhs_number: Some(number.to_owned()),
            ..person(n)
        };
        let secret = u8::try_from(n).expect("small");
        assert_eq!(
            came(&db, &who, &to_sign_in(), secret).await,
            Arrival::Decide
        );
        account(chose(&db, secret, Choice::Letters).await);
        let sql = format!(
            "SELECT count(*) FROM patients p JOIN memberships m ON m.patient_id = p.id WHERE p.nhs_number = '{number}'"
        );
        assert_eq!(count(&hospital, &sql).await, 1, "{n}");
    }
}

#[tokio::test]
async fn a_hospital_that_tells_of_a_member_later_finds_the_mailbox_that_is_there() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    joins(&db, 7).await;
    let told = NewPatient {
        source_id: "PAS-7".to_owned(),
        source_version: 1,
        nhs_number: test_number(7),
        name: PersonName::parse("Test", "Patient").expect("a name"),
        birth_date: "1950-01-01".parse().expect("a date of birth"),
        address_lines: vec!["1 Castle Street".to_owned(), "HR1 2AA".to_owned()],
        phone: None,
        format_need: None,
    };
    let applied = put_patient(db.store(), &hospital.system, &told).await;
    assert_eq!(applied.expect("taken in"), Applied::Applied);
    assert_eq!(count(&hospital, "SELECT count(*) FROM patients").await, 1);
    let letter = hospital.letter(&hospital_patient(7), "L-1");
    let done = publish(&db, &hospital, &[letter]).await;
    assert_eq!(published(&done.results[0]).reason, RouteReason::Member);
}

/// As the hospital names the patient that it has told of.
pub(super) fn hospital_patient(number: u32) -> crate::testing::Patient {
    crate::testing::Patient {
        id: letterbox_domain::id::PatientId::random(),
        source_id: format!("PAS-{number}"),
        nhs_number: test_number(number),
        account: None,
    }
}

#[tokio::test]
async fn r3_1_nobody_joins_without_saying_so_and_who_says_no_leaves_no_trace() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    assert_eq!(
        came(&db, &person(1), &to_sign_in(), 1).await,
        Arrival::Decide
    );
    assert_eq!(
        count(&hospital, ACCOUNTS).await,
        0,
        "arriving opens nothing"
    );
    assert_eq!(chose(&db, 1, Choice::Neither).await, Decided::Left);
    assert_eq!(chose(&db, 1, Choice::Letters).await, Decided::Gone);
    let traces = "SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM patients) + (SELECT count(*) FROM joinings)";
    assert_eq!(count(&hospital, traces).await, 0);
    came(&db, &person(1), &to_sign_in(), 2).await;
    db.pass(Duration::from_secs(1801)).await;
    assert_eq!(
        chose(&db, 2, Choice::Letters).await,
        Decided::Gone,
        "too late"
    );
}

#[tokio::test]
async fn two_presses_of_the_button_make_one_member() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    came(&db, &person(1), &to_sign_in(), 1).await;
    let presses = (0..6).map(|_| chose(&db, 1, Choice::Letters));
    let settled = futures_util::future::join_all(presses).await;
    let opened = settled
        .iter()
        .filter(|one| matches!(one, Decided::Account { .. }));
    assert_eq!(opened.count(), 1, "{settled:?}");
    assert_eq!(count(&hospital, MEMBERS).await, 1);
    assert_eq!(count(&hospital, ACCOUNTS).await, 1);
}

#[tokio::test]
async fn two_tabs_of_one_person_make_one_member_and_neither_is_turned_away() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    for secret in [1, 2] {
        came(&db, &person(1), &to_sign_in(), secret).await;
    }
    let first = account(chose(&db, 1, Choice::Letters).await);
    assert_eq!(account(chose(&db, 2, Choice::Letters).await), first);
    assert_eq!(count(&hospital, MEMBERS).await, 1);
    assert_eq!(count(&hospital, NOTED).await, 0);
}

#[tokio::test]
async fn a_carer_needs_no_mailbox_and_any_gp_will_do() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    for (number, practice) in [
        (1, Some(BRISTOL)),
        (2, Some(MONMOUTH)),
        (3, None),
        (4, Some(HEREFORD)),
    ] {
        let who = Verified {
            practice_code: practice.map(str::to_owned),
            ..person(number)
        };
        let secret = u8::try_from(number).expect("small");
        assert_eq!(
            came(&db, &who, &to_sign_in(), secret).await,
            Arrival::Decide
        );
        let opened = account(chose(&db, secret, Choice::HelpOthers).await);
        assert_eq!(
            came(&db, &who, &to_sign_in(), 90).await,
            Arrival::SignIn(opened)
        );
    }
    assert_eq!(count(&hospital, MEMBERS).await, 0);
    assert_eq!(count(&hospital, "SELECT count(*) FROM patients").await, 0);
}

#[tokio::test]
async fn r6_3_who_lives_elsewhere_cannot_press_the_letters_button_even_by_force() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    for (secret, practice) in [(1, BRISTOL), (2, MONMOUTH)] {
        let who = Verified {
            practice_code: Some(practice.to_owned()),
            ..person(u32::from(secret))
        };
        came(&db, &who, &to_sign_in(), secret).await;
        let forced = chose(&db, secret, Choice::Letters).await;
        assert!(matches!(forced, Decided::Refused(_)), "{forced:?}");
    }
    assert_eq!(count(&hospital, MEMBERS).await, 0);
    assert_eq!(count(&hospital, ACCOUNTS).await, 0);
}

#[tokio::test]
async fn a_carer_who_moves_here_may_join_later() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let away = Verified {
        practice_code: Some(BRISTOL.to_owned()),
        ..person(1)
    };
    came(&db, &away, &to_sign_in(), 1).await;
    let carer = account(chose(&db, 1, Choice::HelpOthers).await);
    let visit = Visit {
        purpose: Purpose::Join,
        account: Some(carer),
        ..to_sign_in()
    };
    assert_eq!(came(&db, &person(1), &visit, 2).await, Arrival::Decide);
    assert_eq!(account(chose(&db, 2, Choice::Letters).await), carer);
    assert_eq!(count(&hospital, MEMBERS).await, 1);
    assert_eq!(count(&hospital, ACCOUNTS).await, 1);
}

#[tokio::test]
async fn r6_1_r9_2_who_may_have_no_account_gets_none() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let cases = [
        (
            Verified {
                proofing: Proofing::P5,
                ..person(1)
            },
            Sorry::Unproven,
        ),
        (
            Verified {
                born: "2011-01-01".parse::<BirthDate>().ok(),
                ..person(1)
            },
            Sorry::Under16,
        ),
        (
            Verified {
                email: None,
                ..person(1)
            },
            Sorry::UnverifiedEmail,
        ),
        (
            Verified {
                name: None,
                ..person(1)
            },
            Sorry::Unproven,
        ),
    ];
    for (who, why) in cases {
        let arrival = came(&db, &who, &to_sign_in(), 1).await;
        assert_eq!(arrival, Arrival::Refused(why));
    }
    let traces = "SELECT (SELECT count(*) FROM accounts) + (SELECT count(*) FROM joinings)";
    assert_eq!(count(&hospital, traces).await, 0);
}

#[tokio::test]
async fn r14_1_one_address_is_one_account_whatever_its_capitals_and_also_in_a_race() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let with = |number, email: &str| Verified {
        email: Email::parse(email).ok(),
        ..person(number)
    };
    // Both are asked before either has decided.
    let harold = with(2, "ＰＥＲＳＯＮ-1@Example.test");
    came(&db, &person(1), &to_sign_in(), 1).await;
    assert_eq!(came(&db, &harold, &to_sign_in(), 2).await, Arrival::Decide);
    account(chose(&db, 1, Choice::Letters).await);
    assert_eq!(
        chose(&db, 2, Choice::Letters).await,
        Decided::Refused(Sorry::EmailTaken)
    );
    assert_eq!(
        came(&db, &harold, &to_sign_in(), 3).await,
        Arrival::Refused(Sorry::EmailTaken)
    );
    assert_eq!(count(&hospital, ACCOUNTS).await, 1);
    assert_eq!(count(&hospital, MEMBERS).await, 1);
    assert_eq!(
        count(&hospital, "SELECT count(*) FROM patients").await,
        1,
        "nothing of the second is left"
    );
}
