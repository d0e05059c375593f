//! The second wall alone: plain `SELECT`s without any of the server's own filters, as every kind of principal.
//! Whoever is not named beside a row here must not get it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use letterbox_domain::circle::{ShareKind, Ticks};
use letterbox_domain::id::{AccountId, TrustId};
use letterbox_domain::letter::LetterKind;
use uuid::Uuid;

use super::appointments::appointment;
use super::publish;
use crate::commands::forms::NewLetter;
use crate::commands::put_appointment::put_appointment;
use crate::commands::share::{NewGrant, share};
use crate::store::{Params, Principal, StoreError};
use crate::testing::{Hospital, Patient, TestDb};

/// Tables that are read before anybody is known, or that name nobody.
const WITHOUT: &[(&str, &str)] = &[
    (
        "accounts",
        "sign-in finds an account before it is anybody's",
    ),
    ("identities", "sign-in"),
    ("sessions", "sign-in; found by the hash of 256 random bits"),
    ("live_tickets", "as sessions"),
    ("staff_roles", "names an account, a trust and a role"),
    (
        "account_closures",
        "added to, never read by the server: it has no right to",
    ),
    ("trusts", "public"),
    ("policies", "of trusts"),
    ("rollout", "of trusts"),
    ("sensitive_specialties", "of trusts"),
    ("trust_api_keys", "found by hash before the trust is known"),
    ("nodes", "servers"),
    ("print_batches", "counts and instants of a trust's batches"),
    (
        "unfinished_cases",
        "a case's id and how often it was claimed",
    ),
    ("outbox", "ids and numbers"),
    ("used_nonces", "hashes"),
    ("schema_compat", "versions"),
    ("clock_offset", "tests and demonstrations only"),
    ("refinery_schema_history", "versions"),
];

/// One patient with everything that can be shared or must not be, beside another patient and another trust.
struct World {
    db: TestDb,
    home: Hospital,
    away: Hospital,
    margaret: Patient,
    gwyn: Patient,
}

impl World {
    async fn new() -> Self {
        let db = TestDb::new().await;
        let (home, away) = (Hospital::open(&db).await, Hospital::open(&db).await);
        let (margaret, gwyn) = (home.member(1).await, home.member(2).await);
        let letters = [
            kind(
                home.letter(&margaret, "appointment"),
                LetterKind::Appointment,
            ),
            kind(home.letter(&margaret, "clinic"), LetterKind::Clinic),
            kind(home.letter(&margaret, "hidden"), LetterKind::Clinic),
            kind(home.letter(&margaret, "sensitive"), LetterKind::Appointment),
            home.letter(&gwyn, "of-gwyn"),
        ];
        publish(&db, &home, &letters).await;
        let soon = home.now().await + TimeDelta::days(30);
        put_appointment(
            db.store(),
            &home.system,
            &appointment(&margaret, "visit", 1, soon),
        )
        .await
        .expect("an appointment");
        home.client()
            .batch_execute(
                "UPDATE letters SET hidden_at = app_now() WHERE source_id = 'hidden';
                 UPDATE letters SET restricted = true WHERE source_id = 'sensitive';
                 UPDATE events SET restricted = true WHERE letter_id IN
                    (SELECT id FROM letters WHERE source_id IN ('hidden', 'sensitive'))",
            )
            .await
            .expect("hidden and sensitive");
        Self {
            db,
            home,
            away,
            margaret,
            gwyn,
        }
    }

    /// A carer of Margaret's with these boxes ticked.
    async fn carer(&self, ticks: &[ShareKind]) -> AccountId {
        let carer = self.account("person").await;
        let grant = NewGrant {
            carer,
            relationship: "Daughter".to_owned(),
            ticks: Ticks::of(ticks),
            may_read_for_me: false,
        };
        let margaret = self.margaret.account.expect("a member");
        share(self.db.store(), margaret, &grant)
            .await
            .expect("shared");
        carer
    }

    async fn staff(&self, trust: TrustId) -> AccountId {
        let account = self.account("staff").await;
        self.home
            .client()
            .execute(
                "INSERT INTO staff_roles (account_id, trust_id, role) VALUES ($1, $2, 'booking_clerk')",
                &[&account.as_uuid(), &trust.as_uuid()],
            )
            .await
            .expect("a role");
        account
    }

    async fn account(&self, kind: &str) -> AccountId {
        let account = AccountId::random();
        self.home
            .client()
            .execute(
                "INSERT INTO accounts (id, kind, display_name) VALUES ($1, $2, 'Somebody')",
                &[&account.as_uuid(), &kind],
            )
            .await
            .expect("an account");
        account
    }

    /// The texts that `sql` answers to this principal.
    async fn seen(&self, principal: &Principal, sql: &'static str) -> BTreeSet<String> {
        let tx = self.db.store().begin(principal).await.expect("begins");
        let rows = tx.query(sql, &[]).await.expect("answers");
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn letters(&self, principal: &Principal) -> BTreeSet<String> {
        self.seen(principal, "SELECT source_id FROM letters").await
    }

    async fn count(&self, principal: &Principal, sql: &'static str) -> i64 {
        let tx = self.db.store().begin(principal).await.expect("begins");
        tx.query_one(sql, &[]).await.expect("answers").get(0)
    }
}

fn kind(letter: NewLetter, kind: LetterKind) -> NewLetter {
    NewLetter { kind, ..letter }
}

fn person(account: Option<AccountId>) -> Principal {
    Principal::Account {
        account: account.expect("an account"),
    }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn every_table_has_a_wall_or_a_reason() {
    let db = TestDb::new().await;
    let rows = db
        .superuser()
        .await
        .query(
            "SELECT relname, relrowsecurity FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
            &[],
        )
        .await
        .expect("the catalogue");
    let without: BTreeSet<&str> = WITHOUT.iter().map(|(table, _)| *table).collect();
    for row in &rows {
        let (table, walled): (&str, bool) = (row.get(0), row.get(1));
        assert!(
            walled != without.contains(table),
            "{table} has a wall: {walled}; CALL wall(…) in a migration, or give the reason here"
        );
    }
    assert!(rows.len() > WITHOUT.len());
}

#[tokio::test]
async fn r17_1_patients_carers_and_strangers_get_exactly_their_letters_from_the_tables_themselves()
{
    let world = Box::pin(World::new()).await;
    let all = set(&["appointment", "clinic", "hidden", "sensitive"]);
    assert_eq!(world.letters(&person(world.margaret.account)).await, all);
    assert_eq!(
        world.letters(&person(world.gwyn.account)).await,
        set(&["of-gwyn"])
    );
    for (ticks, sees) in [
        (&[ShareKind::AppointmentLetters][..], &["appointment"][..]),
        (&[ShareKind::ClinicLetters], &["clinic"]),
        (&[ShareKind::Appointments], &[]),
        (&[ShareKind::Questionnaires, ShareKind::Trackers], &[]),
        (&ShareKind::ALL, &["appointment", "clinic"]),
    ] {
        let carer = Principal::Account {
            account: world.carer(ticks).await,
        };
        assert_eq!(world.letters(&carer).await, set(sees), "{ticks:?}");
        let visits = world
            .count(&carer, "SELECT count(*) FROM appointments")
            .await;
        assert_eq!(
            visits == 1,
            ticks.contains(&ShareKind::Appointments),
            "{ticks:?}"
        );
        let events = world.count(&carer, "SELECT count(*) FROM events").await;
        assert_eq!(
            usize::try_from(events + 1 - visits),
            Ok(sees.len() + 1),
            "{ticks:?}"
        );
        let cases = world
            .count(
                &carer,
                "SELECT count(*) FROM cases WHERE letter_id IS NOT NULL",
            )
            .await;
        assert_eq!(usize::try_from(cases), Ok(sees.len()), "{ticks:?}");
    }
    for nobody in [
        Principal::Anonymous,
        Principal::Account {
            account: world.account("person").await,
        },
    ] {
        assert_eq!(world.letters(&nobody).await, set(&[]), "{nobody}");
    }
    assert_eq!(world.letters(&Principal::SERVER).await.len(), 5);
}

#[tokio::test]
async fn r1_2_a_trust_and_its_staff_get_their_own_trusts_rows_only() {
    let world = Box::pin(World::new()).await;
    let (home, away) = (world.home.system.trust, world.away.system.trust);
    for (trust, letters) in [(home, 5), (away, 0)] {
        let system = Principal::TrustSystem {
            trust,
            key: Uuid::nil(),
        };
        let clerk = Principal::Account {
            account: world.staff(trust).await,
        };
        for principal in [system, clerk] {
            assert_eq!(
                world.letters(&principal).await.len(),
                letters,
                "{principal}"
            );
            for sql in [
                "SELECT count(*) FROM cases",
                "SELECT count(*) FROM appointments",
                "SELECT count(*) FROM events",
                "SELECT count(*) FROM history WHERE patient_id IS NOT NULL",
            ] {
                assert_eq!(
                    world.count(&principal, sql).await > 0,
                    letters > 0,
                    "{principal}: {sql}"
                );
            }
            // A document is the trust's that uploaded it; each hospital has one.
            assert_eq!(
                world
                    .count(&principal, "SELECT count(*) FROM documents")
                    .await,
                1
            );
            assert_eq!(
                world.count(&principal, "SELECT count(*) FROM grants").await,
                0,
                "{principal}"
            );
        }
        let clerk = Principal::Account {
            account: world.staff(trust).await,
        };
        let known = if letters > 0 { 2 } else { 0 };
        assert_eq!(
            world.count(&clerk, "SELECT count(*) FROM patients").await,
            known
        );
    }
}

#[tokio::test]
async fn r27_2_a_withdrawn_carer_gets_nothing_from_the_tables_in_the_next_statement() {
    let world = Box::pin(World::new()).await;
    let carer = Principal::Account {
        account: world.carer(&ShareKind::ALL).await,
    };
    let tx = world.db.store().begin(&carer).await.expect("begins");
    let before = tx
        .query("SELECT id FROM letters", &[])
        .await
        .expect("answers");
    assert_eq!(before.len(), 2);
    world
        .home
        .client()
        .batch_execute("UPDATE grants SET revoked_at = app_now()")
        .await
        .expect("withdrawn");
    for sql in [
        "SELECT id FROM letters",
        "SELECT id FROM appointments",
        "SELECT id FROM events",
        "SELECT id FROM patients",
        "SELECT id FROM documents",
        "SELECT id FROM cases",
    ] {
        assert!(
            tx.query(sql, &[]).await.expect("answers").is_empty(),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn what_one_may_not_see_one_cannot_change() {
    let world = Box::pin(World::new()).await;
    let gwyn = person(world.gwyn.account);
    let none: Params<'_> = &[];
    for sql in [
        "UPDATE letters SET title = 'x' WHERE source_id <> 'of-gwyn'",
        "UPDATE appointments SET location = 'x'",
        "DELETE FROM cases WHERE letter_id IN (SELECT id FROM letters WHERE source_id <> 'of-gwyn')",
        "UPDATE patients SET phone = '1' WHERE id <> ALL(own_boxes())",
    ] {
        let changed: Result<u64, StoreError> = world
            .db
            .store()
            .begin(&gwyn)
            .await
            .expect("begins")
            .execute(sql, none)
            .await;
        assert_eq!(changed.expect("runs"), 0, "{sql}");
    }
}
