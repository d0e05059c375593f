//! A hospital with patients, for tests that publish: one live trust, and letters that only differ where it matters.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::id::{AccountId, PatientId, TrustId};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::person::NhsNumber;
use letterbox_domain::policy::Policy;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use uuid::Uuid;

use super::TestDb;
use crate::commands::TrustSystem;
use crate::commands::forms::NewLetter;
use crate::store::{Principal, policies};

/// A trust that is live for every specialty, posts for non-members, and has uploaded one document.
pub struct Hospital {
    /// The trust's system.
    pub system: TrustSystem,
    /// The document's hash.
    pub document: [u8; 32],
    client: Client,
}

/// A patient whom the hospital knows.
#[derive(Clone, Debug)]
pub struct Patient {
    /// Ours.
    pub id: PatientId,
    /// The hospital's id.
    pub source_id: String,
    /// Valid, and nobody's.
    pub nhs_number: NhsNumber,
    /// The account of a member.
    pub account: Option<AccountId>,
}

impl Hospital {
    /// Opens the hospital under the standard policy.
    pub async fn open(db: &TestDb) -> Self {
        Self::with_policy(db, &Policy::standard()).await
    }

    /// Opens the hospital under another policy.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn with_policy(db: &TestDb, policy: &Policy) -> Self {
        let client = db.superuser().await;
        let trust = TrustId::random();
        let code: String = trust
            .to_string()
            .to_uppercase()
            .chars()
            .rev()
            .take(5)
            .collect();
        let id = trust.as_uuid();
        let opened = client
            .execute(
                "INSERT INTO trusts (id, ods_code, name, short_name, switchboard, policy_version)
                 VALUES ($1, $2, 'Test Hospital NHS Trust', 'Test Hospital', '01632 960000', $3)",
                &[&id, &code, &policy.version],
            )
            .await;
        assert!(opened.is_ok(), "{opened:?}");
        let tx = db.store().begin(&Principal::SERVER).await.expect("begins");
        policies::insert(&tx, id, policy).await.expect("a policy");
        tx.commit().await.expect("committed");
        let live = "INSERT INTO rollout (trust_id, specialty, letter_kind, live_from)
                    SELECT $1, '*', kind, '2020-01-01' FROM unnest(ARRAY['appointment', 'clinic']) AS kind";
        client.execute(live, &[&id]).await.expect("live");
        let system = TrustSystem {
            trust,
            key: Uuid::now_v7(),
        };
        let mut hospital = Self {
            system,
            document: [0; 32],
            client,
        };
        hospital.document = hospital.document("%PDF-1.7 a letter").await;
        hospital
    }

    /// Another document of the hospital's; answers its hash.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn document(&self, content: &str) -> [u8; 32] {
        let hash: [u8; 32] = Sha256::digest(content).into();
        self.client
            .execute(
                "INSERT INTO documents (id, trust_id, sha256, pages, size_bytes, content) VALUES ($1, $2, $3, 1, $4, $5)
                 ON CONFLICT DO NOTHING",
                &[
                    &Uuid::now_v7(),
                    &self.system.trust.as_uuid(),
                    &hash.as_slice(),
                    &i32::try_from(content.len()).expect("short"),
                    &content.as_bytes(),
                ],
            )
            .await
            .expect("a document");
        hash
    }

    /// A patient who has joined the portal, with email and mobile verified and an address.
    pub async fn member(&self, number: u32) -> Patient {
        let patient = self.patient(number).await;
        let account = AccountId::random();
        let email = format!("{}@example.test", patient.source_id);
        let joined = [
            (
                "INSERT INTO accounts (id, kind, display_name, email, email_verified_at, mobile, mobile_verified_at)
                 VALUES ($1, 'person', 'Test Person', $2, app_now(), '+447700900123', app_now())",
                &email as &(dyn tokio_postgres::types::ToSql + Sync),
            ),
            (
                "INSERT INTO memberships (patient_id, account_id, joined_at) VALUES ($2, $1, app_now() - interval '1 day')",
                &patient.id.as_uuid(),
            ),
        ];
        for (sql, second) in joined {
            self.client
                .execute(sql, &[&account.as_uuid(), second])
                .await
                .expect("joins");
        }
        Patient {
            account: Some(account),
            ..patient
        }
    }

    /// A patient who has not joined.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn patient(&self, number: u32) -> Patient {
        let (id, nhs_number, source_id) = (
            PatientId::random(),
            test_number(number),
            format!("PAS-{number}"),
        );
        self.client
            .execute(
                "INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines)
                 VALUES ($1, $2, 'Test', 'Patient', '1950-01-01', ARRAY['1 Test Street', 'Hereford', 'HR1 2AA'])",
                &[&id.as_uuid(), &nhs_number.expose()],
            )
            .await
            .expect("a patient");
        self.client
            .execute(
                "INSERT INTO patient_sources (trust_id, source_id, patient_id, source_version, body_sha256, answer)
                 VALUES ($1, $2, $3, 1, '\\x00', '{}')",
                &[&self.system.trust.as_uuid(), &source_id, &id.as_uuid()],
            )
            .await
            .expect("a source");
        Patient {
            id,
            source_id,
            nhs_number,
            account: None,
        }
    }

    /// A signed clinic letter to the patient.
    #[must_use]
    pub fn letter(&self, patient: &Patient, source_id: &str) -> NewLetter {
        NewLetter {
            source_id: source_id.to_owned(),
            patient: patient.source_id.clone(),
            nhs_number: patient.nhs_number,
            kind: LetterKind::Clinic,
            title: "Your visit to the clinic".to_owned(),
            specialty: "Cardiology".to_owned(),
            clinic: "Heart clinic".to_owned(),
            contact_phone: "01632 960001".to_owned(),
            contact_hours: None,
            appointment: None,
            authored_at: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
            signed: true,
            full_text: None,
            release_at: None,
            document: self.document,
        }
    }

    /// The one number that a query answers.
    ///
    /// # Panics
    /// When the query fails.
    pub async fn count(&self, sql: &str) -> i64 {
        match self.client.query_one(sql, &[]).await {
            Ok(row) => row.get(0),
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }

    /// What must hold in every committed state: no letter without its event, history row and timer; dense numbers.
    pub async fn assert_sound(&self) {
        for (rule, sql) in RULES {
            assert_eq!(self.count(sql).await, 0, "{rule}");
        }
    }

    /// The superuser's connection, for whatever a test must see or break.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The database's time.
    pub async fn now(&self) -> DateTime<Utc> {
        self.client
            .query_one("SELECT app_now()", &[])
            .await
            .expect("a time")
            .get(0)
    }
}

/// Each counts what breaks the rule.
const RULES: &[(&str, &str)] = &[
    (
        "every letter that is not held has exactly one published event",
        "SELECT count(*) FROM letters l WHERE l.state <> 'held' AND l.state <> 'withdrawn' AND l.state <> 'superseded' AND
         (SELECT count(*) FROM events e WHERE e.letter_id = l.id AND e.kind = 'letter.published') <> 1",
    ),
    (
        "every letter has its history",
        "SELECT count(*) FROM letters l WHERE
         (SELECT count(*) FROM history h WHERE h.subject_id = l.id AND h.kind IN ('letter.published', 'letter.held')) <> 1",
    ),
    (
        "every letter that we deliver has exactly one case",
        "SELECT count(*) FROM letters l WHERE (l.route <> 'you_post') <> (SELECT count(*) = 1 FROM cases c WHERE c.letter_id = l.id)",
    ),
    (
        "no letter is silent: what is unopened and ours has an open case with a next step, or its case has ended",
        "SELECT count(*) FROM letters l WHERE l.state IN ('held', 'published') AND l.route <> 'you_post' AND NOT EXISTS
         (SELECT FROM cases c WHERE c.letter_id = l.id AND (c.ended_at IS NOT NULL OR c.due_at IS NOT NULL))",
    ),
    (
        "numbers are dense and end at the mailbox's head",
        "SELECT count(*) FROM patients p WHERE p.head_seq <> (SELECT coalesce(max(seq), 0) FROM events e WHERE e.patient_id = p.id)
         OR p.head_seq <> (SELECT count(*) FROM events e WHERE e.patient_id = p.id)",
    ),
    (
        "every event has left its wake-up (tests do not take them)",
        "SELECT (SELECT count(*) FROM events) - (SELECT count(*) FROM outbox)",
    ),
    (
        "every history row matches its own hash",
        "SELECT count(*) FROM history WHERE sha256 <> history_sha256(trust_id, patient_id, subject_kind, subject_id,
         kind, at, actor, policy_version, facts)",
    ),
];

/// A valid NHS number from the range that is nobody's (999…).
///
/// # Panics
/// Beyond 400,000 numbers.
#[must_use]
pub fn test_number(number: u32) -> NhsNumber {
    // Every eleventh candidate has no check digit, so ask for candidates until the wanted one is reached.
    let mut found = 0;
    for candidate in 0..999_999_u32 {
        let digits = format!("999{candidate:06}");
        let sum: u32 = digits
            .bytes()
            .zip((2..=10).rev())
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        let check = (11 - sum % 11) % 11;
        if check == 10 {
            continue;
        }
        if found == number {
            return NhsNumber::parse(&format!("{digits}{check}")).expect("valid by construction");
        }
        found += 1;
    }
    panic!("there are not so many test numbers");
}
