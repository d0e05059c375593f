//! A hospital with a few patients, written straight into a database of the test's own.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::{CaseStore, ClaimedCase, CommitReport, NodeId};
use letterbox_domain::appointment::AppointmentChange;
use letterbox_domain::id::{AccountId, AppointmentId, CaseId, LetterId, PatientId, TrustId};
use letterbox_domain::ladder::{Decision, Plan, decide, plan_appointment, plan_letter};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::policy::Policy;
use letterbox_domain::time::Calendars;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::store::ladder::{LadderStore, NoticeFacts, NoticeFile, NoticePdf, Sender};
use crate::store::{Principal, policies};
use crate::testing::TestDb;

/// A short page without anything in it.
pub(super) struct BlankNotices;

impl NoticePdf for BlankNotices {
    fn make(&self, facts: &NoticeFacts) -> Result<NoticeFile, String> {
        Ok(NoticeFile {
            pdf: format!("%PDF {:?} {}", facts.change, facts.starts_at).into_bytes(),
            pages: 1,
        })
    }
}

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) sql: Client,
    pub(crate) ladder: LadderStore,
    pub(crate) node: NodeId,
    pub(crate) trust: TrustId,
    pub(crate) policy: Policy,
    pub(crate) calendars: Calendars,
    document: Uuid,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) patient: PatientId,
    pub(crate) account: AccountId,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) letter: LetterId,
    pub(crate) case: CaseId,
    pub(crate) patient: PatientId,
}

pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(60);

impl World {
    /// With the demonstration's policy: seconds instead of days, nothing is ever quiet.
    pub(crate) async fn new() -> Self {
        Self::with(Policy::demo()).await
    }

    pub(crate) async fn with(policy: Policy) -> Self {
        let db = TestDb::new().await;
        let sql = db.superuser().await;
        let (trust, document) = (Uuid::now_v7(), Uuid::now_v7());
        sql.execute(
            "INSERT INTO trusts (id, ods_code, name, short_name, switchboard, policy_version)
             VALUES ($1, 'RLQ', 'Test Trust', 'Test', '01432 000000', 1)",
            &[&trust],
        )
        .await
        .expect("a trust");
        let tx = db.store().begin(&Principal::SERVER).await.expect("begins");
        policies::insert(&tx, trust, &policy)
            .await
            .expect("a policy");
        tx.commit().await.expect("commits");
        sql.execute(
            "INSERT INTO documents (id, trust_id, sha256, pages, size_bytes, content)
             VALUES ($1, $2, sha256('%PDF letter'), 1, 11, '%PDF letter')",
            &[&document, &trust],
        )
        .await
        .expect("a document");
        let sender = Sender {
            service: "My Health and Wellbeing".into(),
            portal: None,
        };
        let ladder = LadderStore::new(db.store(), sender, Arc::new(BlankNotices));
        Self {
            db,
            sql,
            ladder,
            node: NodeId::random(),
            trust: trust.into(),
            policy,
            calendars: Calendars::built_in(),
            document,
        }
    }

    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.one("SELECT app_now()", &[]).await
    }

    pub(crate) async fn pass(&self, time: TimeDelta) {
        self.db
            .pass(time.to_std().expect("time goes forward"))
            .await;
    }

    /// A member with a verified email address and mobile.
    pub(crate) async fn member(&self, name: &str) -> Person {
        let (patient, account) = (Uuid::now_v7(), Uuid::now_v7());
        let number = format!("9{:09}", patient.as_u128() % 1_000_000_000);
        self.run(
            "INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines, phone)
             VALUES ($1, $2, $3, 'Test', '1950-01-01', ARRAY['1 High Street', 'Hereford', 'HR1 2ER'], '01432 111111')",
            &[&patient, &number, &name],
        )
        .await;
        self.account(account, name).await;
        self.run(
            "INSERT INTO memberships (patient_id, account_id, joined_at) VALUES ($1, $2, app_now())",
            &[&patient, &account],
        )
        .await;
        Person {
            patient: patient.into(),
            account: account.into(),
        }
    }

    async fn account(&self, id: Uuid, name: &str) {
        self.run(
            "INSERT INTO accounts (id, kind, display_name, email, email_verified_at, mobile, mobile_verified_at)
             VALUES ($1, 'person', $2, $3, app_now(), '+447700900001', app_now())",
            &[&id, &name, &format!("{id}@example.org")],
        )
        .await;
    }

    /// A carer of this patient.
    pub(crate) async fn carer(&self, of: PatientId, ticks: &[&str], may_read: bool) -> AccountId {
        let account = Uuid::now_v7();
        self.account(account, "Susan Carer").await;
        self.run(
            "INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, may_read_for_me, version)
             VALUES ($1, $2, $3, 'daughter', $4, $5, 1)",
            &[&Uuid::now_v7(), &of.as_uuid(), &account, &ticks, &may_read],
        )
        .await;
        account.into()
    }

    /// A booking clerk of the trust.
    pub(crate) async fn clerk(&self) -> AccountId {
        self.staff("booking_clerk").await
    }

    /// Staff of the trust in this role.
    pub(crate) async fn staff(&self, role: &str) -> AccountId {
        let account = Uuid::now_v7();
        self.account(account, "Booking Clerk").await;
        self.run(
            "INSERT INTO staff_roles (account_id, trust_id, role) VALUES ($1, $2, $3)",
            &[&account, &self.trust.as_uuid(), &role],
        )
        .await;
        account.into()
    }

    /// A letter for the portal, with its case, as publication writes them.
    pub(crate) async fn publish(&self, to: PatientId) -> Published {
        let now = self.now().await;
        let plan = plan_letter(&self.policy, &self.calendars, LetterKind::Clinic, now, None);
        self.publish_with(to, &plan).await
    }

    pub(crate) async fn publish_with(&self, to: PatientId, plan: &Plan) -> Published {
        let letter = Uuid::now_v7();
        self.run(
            "INSERT INTO letters (id, trust_id, source_id, form_sha256, patient_id, document_id, kind, title, specialty,
                                  clinic, contact_phone, authored_at, published_at, state, route, route_reason)
             VALUES ($1, $2, $5, '', $3, $4, 'clinic', 'Clinic letter', 'cardiology', 'Heart clinic', '01432 222222',
                     app_now(), app_now(), 'published', 'portal', 'member')",
            &[&letter, &self.trust.as_uuid(), &to.as_uuid(), &self.document, &letter.to_string()],
        )
        .await;
        let case = self.case(to, Some(letter), None, plan).await;
        Published {
            letter: letter.into(),
            case,
            patient: to,
        }
    }

    /// A cancelled appointment, told as its own case.
    pub(crate) async fn cancel(
        &self,
        of: PatientId,
        starts_in: TimeDelta,
    ) -> (AppointmentId, CaseId) {
        let (appointment, now) = (Uuid::now_v7(), self.now().await);
        let starts_at = now + starts_in;
        self.run(
            "INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer, state,
                                       change, starts_at, specialty, clinic, location, contact_phone)
             VALUES ($1, $2, $5, $3, 1, '', '{}', 'cancelled', 2, $4, 'cardiology', 'Heart clinic', 'Desk 1',
                     '01432 222222')",
            &[&appointment, &self.trust.as_uuid(), &of.as_uuid(), &starts_at, &appointment.to_string()],
        )
        .await;
        let plan = plan_appointment(
            &self.policy,
            &self.calendars,
            AppointmentChange::Cancelled,
            now,
            starts_at,
        );
        let case = self.case(of, None, Some(appointment), &plan).await;
        (appointment.into(), case)
    }

    async fn case(
        &self,
        of: PatientId,
        letter: Option<Uuid>,
        appointment: Option<Uuid>,
        plan: &Plan,
    ) -> CaseId {
        let case = Uuid::now_v7();
        let (rungs, ats): (Vec<i16>, Vec<DateTime<Utc>>) = plan
            .steps
            .iter()
            .map(|step| (step.rung.number(), step.at))
            .unzip();
        self.run(
            "INSERT INTO cases (id, trust_id, patient_id, letter_id, appointment_id, appointment_change, policy_version,
                                urgent, step_rungs, step_ats, deadline_at, promised_at, due_at)
             VALUES ($1, $2, $3, $4, $5, CASE WHEN $5::uuid IS NULL THEN NULL ELSE 2 END, 1, $6, $7, $8, $9, $10, $11)",
            &[
                &case,
                &self.trust.as_uuid(),
                &of.as_uuid(),
                &letter,
                &appointment,
                &plan.urgent,
                &rungs,
                &ats,
                &plan.deadline,
                &plan.post_at,
                &plan.first_due(),
            ],
        )
        .await;
        case.into()
    }

    pub(crate) async fn claim(&self, limit: u16) -> Vec<(ClaimedCase, Decision)> {
        self.claim_on(&self.ladder, self.node, limit).await
    }

    pub(crate) async fn claim_on(
        &self,
        ladder: &LadderStore,
        node: NodeId,
        limit: u16,
    ) -> Vec<(ClaimedCase, Decision)> {
        let claimed = ladder
            .claim_overdue(node, self.trust, limit, LEASE)
            .await
            .expect("claims");
        let decide = |case: ClaimedCase| {
            let decision = decide(&case.view, claimed.now);
            (case, decision)
        };
        claimed.cases.into_iter().map(decide).collect()
    }

    /// One round of the supervisor: claim what is overdue, decide, commit.
    pub(crate) async fn supervise(&self) -> CommitReport {
        let decided = self.claim(1000).await;
        self.ladder
            .commit(self.node, decided)
            .await
            .expect("commits")
    }

    pub(crate) async fn run(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> u64 {
        self.sql
            .execute(sql, params)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// The only value of the only row.
    pub(crate) async fn one<T>(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> T
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        self.sql
            .query_one(sql, params)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
            .get(0)
    }

    /// No letter is on its way to being forgotten.
    pub(crate) async fn every_open_case_has_a_next_step(&self) {
        let forgotten = self.db.store().cases_without_next_step().await;
        assert_eq!(forgotten.expect("counts"), Vec::<Uuid>::new());
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.one(&format!("SELECT count(*) FROM {sql}"), &[]).await
    }

    /// Channel and state of a case's messages, in the order of channels.
    pub(crate) async fn messages(&self, case: CaseId) -> Vec<(String, String)> {
        let rows = self
            .sql
            .query(
                "SELECT channel, state FROM dispatches WHERE case_id = $1 ORDER BY channel",
                &[&case.as_uuid()],
            )
            .await
            .expect("reads");
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    pub(crate) async fn end_of(&self, case: CaseId) -> Option<String> {
        self.one(
            "SELECT end_kind FROM cases WHERE id = $1",
            &[&case.as_uuid()],
        )
        .await
    }

    pub(crate) const fn second() -> Duration {
        Duration::from_secs(1)
    }
}

pub(crate) fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}
