//! Who joined before, under another name, number or practice: nobody gets a mailbox that is not theirs.

use letterbox_domain::joining::Left;
use letterbox_domain::person::{BirthDate, Email, PersonName};
use letterbox_domain::route::{Route, RouteReason};

use super::joining::{
    ACCOUNTS, BRISTOL, ISSUER, MEMBERS, MONMOUTH, NOTED, account, came, chose, count, joins,
    person, to_sign_in,
};
use super::{publish, published};
use crate::commands::arrive::{Arrival, Purpose, Sorry, Verified, Visit};
use crate::commands::join::{Choice, Decided};
use crate::store::Principal;
use crate::store::accounts;
use crate::testing::{Hospital, TestDb, test_number};

#[tokio::test]
async fn case_90_a_number_alone_opens_nobodys_mailbox() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    hospital.patient(1).await;
    let differs = [
        Verified {
            name: PersonName::parse("Test", "Other").ok(),
            ..person(1)
        },
        Verified {
            born: "1950-01-02".parse::<BirthDate>().ok(),
            ..person(1)
        },
    ];
    for (secret, who) in (1..).zip(&differs) {
        came(&db, who, &to_sign_in(), secret).await;
        assert_eq!(
            chose(&db, secret, Choice::Letters).await,
            Decided::Refused(Sorry::DetailsDiffer)
        );
    }
    assert_eq!(count(&hospital, ACCOUNTS).await, 0);
    assert_eq!(
        count(&hospital, NOTED).await,
        1,
        "the help desk sees it, once"
    );
    hospital
        .client()
        .execute("UPDATE patients SET deceased_at = '2026-01-01'", &[])
        .await
        .expect("noted");
    came(&db, &person(1), &to_sign_in(), 9).await;
    assert_eq!(
        chose(&db, 9, Choice::Letters).await,
        Decided::Refused(Sorry::DetailsDiffer),
        "nobody joins for the dead"
    );
}

#[tokio::test]
async fn case_90_a_second_login_with_the_same_number_does_not_get_the_mailbox() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let first = joins(&db, 1).await;
    for (secret, issuer, subject) in [
        (2, ISSUER, "sub-other"),
        (3, "https://other.example", "sub-1"),
    ] {
        let again = Verified {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            email: Email::parse(&format!("other-{secret}@example.test")).ok(),
            ..person(1)
        };
        assert_eq!(
            came(&db, &again, &to_sign_in(), secret).await,
            Arrival::Decide
        );
        assert_eq!(
            chose(&db, secret, Choice::Letters).await,
            Decided::Refused(Sorry::OtherLogin)
        );
    }
    assert_eq!(count(&hospital, NOTED).await, 2);
    assert_eq!(count(&hospital, ACCOUNTS).await, 1);
    assert_eq!(
        came(&db, &person(1), &to_sign_in(), 4).await,
        Arrival::SignIn(first),
        "the first is as it was"
    );
}

#[tokio::test]
async fn case_90_a_changed_number_closes_nothing_and_opens_nothing() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    joins(&db, 1).await;
    let changed = Verified {
        nhs_number: Some(test_number(2).expose()),
        ..person(1)
    };
    for _ in 0..3 {
        let arrival = came(&db, &changed, &to_sign_in(), 5).await;
        assert_eq!(arrival, Arrival::Refused(Sorry::NumberChanged));
    }
    assert_eq!(count(&hospital, MEMBERS).await, 1, "nothing is lost");
    let noted =
        "SELECT count(*) FROM identity_mismatches WHERE kind = 'number_changed' AND times = 3";
    assert_eq!(count(&hospital, noted).await, 1);
    let refused = "SELECT count(*) FROM audit WHERE action = 'sign_in.refused' AND NOT allowed";
    assert_eq!(count(&hospital, refused).await, 3);
}

#[tokio::test]
async fn a_member_who_moved_away_leaves_with_the_reason_and_post_resumes() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let asha = hospital.patient(1).await;
    let member = joins(&db, 1).await;
    let carer = hospital.member(2).await.account.expect("a member");
    hospital
        .client()
        .execute(
            "INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, version)
             VALUES (gen_random_uuid(), $1, $2, 'Friend', ARRAY['clinic_letters'], 1)",
            &[&asha.id.as_uuid(), &carer.as_uuid()],
        )
        .await
        .expect("shared");
    let unread = publish(&db, &hospital, &[hospital.letter(&asha, "L-1")]).await;
    assert_eq!(published(&unread.results[0]).route, Route::Portal);
    let moved = Verified {
        practice_code: Some(BRISTOL.to_owned()),
        ..person(1)
    };
    let Arrival::Left(leaving) = came(&db, &moved, &to_sign_in(), 5).await else {
        panic!("still a member");
    };
    assert_eq!(
        (
            leaving.account,
            leaving.patient,
            leaving.why,
            leaving.grants.len()
        ),
        (member, asha.id, Left::MovedAway, 1)
    );
    let told =
        "SELECT count(*) FROM memberships WHERE left_reason = 'moved_away' AND left_at IS NOT NULL";
    assert_eq!(count(&hospital, told).await, 1);
    let shared = "SELECT count(*) FROM grants WHERE revoked_at IS NULL";
    assert_eq!(count(&hospital, shared).await, 0);
    let kept = "SELECT count(*) FROM history WHERE kind = 'membership.ended' AND facts ->> 'reason' = 'moved_away'";
    assert_eq!(count(&hospital, kept).await, 1);
    let open = "SELECT count(*) FROM cases WHERE ended_at IS NULL AND promised_at IS NOT NULL";
    assert_eq!(
        count(&hospital, open).await,
        1,
        "the unread letter is posted as promised"
    );
    let next = publish(&db, &hospital, &[hospital.letter(&asha, "L-2")]).await;
    assert_eq!(published(&next.results[0]).reason, RouteReason::NonMember);
    assert_eq!(
        came(&db, &moved, &to_sign_in(), 6).await,
        Arrival::SignIn(member),
        "an account without a mailbox is left"
    );
    let back = Visit {
        purpose: Purpose::Join,
        account: Some(member),
        ..to_sign_in()
    };
    assert_eq!(came(&db, &person(1), &back, 7).await, Arrival::Decide);
    assert_eq!(account(chose(&db, 7, Choice::Letters).await), member);
    assert_eq!(
        count(&hospital, MEMBERS).await,
        2,
        "back again, beside the carer"
    );
    hospital.assert_sound().await;
}

#[tokio::test]
async fn a_member_who_moved_to_wales_is_told_apart() {
    let db = TestDb::new().await;
    joins(&db, 1).await;
    let moved = Verified {
        practice_code: Some(MONMOUTH.to_owned()),
        ..person(1)
    };
    let arrival = came(&db, &moved, &to_sign_in(), 5).await;
    assert!(
        matches!(&arrival, Arrival::Left(leaving) if leaving.why == Left::MovedToWales),
        "{arrival:?}"
    );
}

#[tokio::test]
async fn nobody_confirms_for_somebody_else() {
    let db = TestDb::new().await;
    let (asha, gwyn) = (joins(&db, 1).await, joins(&db, 2).await);
    for purpose in [Purpose::Confirm, Purpose::Join] {
        let visit = Visit {
            purpose,
            account: Some(asha),
            ..to_sign_in()
        };
        for stranger in [person(2), person(3)] {
            let arrival = came(&db, &stranger, &visit, 9).await;
            assert_eq!(arrival, Arrival::Refused(Sorry::OtherPerson), "{purpose:?}");
        }
        assert_eq!(
            came(&db, &person(1), &visit, 9).await,
            Arrival::SignIn(asha)
        );
    }
    assert_ne!(asha, gwyn);
}

#[tokio::test]
async fn whoever_closed_their_account_may_come_again() {
    let db = TestDb::new().await;
    let hospital = Hospital::open(&db).await;
    let first = joins(&db, 1).await;
    for sql in [
        "UPDATE accounts SET closed_at = app_now()",
        "UPDATE memberships SET left_at = app_now(), left_reason = 'account_closed'",
    ] {
        hospital.client().execute(sql, &[]).await.expect("closed");
    }
    let tx = db.store().begin(&Principal::SERVER).await.expect("begins");
    let known = accounts::known(&tx, ISSUER, "sub-1").await.expect("asked");
    assert!(known.is_none(), "a closed account opens nothing");
    drop(tx);
    assert_eq!(
        came(&db, &person(1), &to_sign_in(), 2).await,
        Arrival::Decide
    );
    let second = account(chose(&db, 2, Choice::Letters).await);
    assert_ne!(first, second);
    assert_eq!(count(&hospital, MEMBERS).await, 1);
}
