//! Writes made-up people in bulk, for the demonstration and for load tests. Commands decide who they are.

use std::collections::HashMap;
use std::pin::pin;

use chrono::{NaiveDate, NaiveTime};
use letterbox_domain::policy::Policy;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{StoreError, Tx, policies};

/// A trust of the shipped configuration.
#[derive(Clone, Copy, Debug)]
pub struct Trust {
    pub ods_code: &'static str,
    pub name: &'static str,
    pub short_name: &'static str,
    /// Whether every specialty and kind of letter comes by the portal already.
    pub live: bool,
}

/// A made-up person with an account, and with a mailbox where `nhs_number` is given.
pub struct Person<'a> {
    pub key: &'a str,
    pub issuer: &'a str,
    pub given: &'a str,
    pub family: &'a str,
    pub staff: bool,
    pub nhs_number: Option<&'a str>,
    pub address_lines: &'a [&'a str],
    pub mobile: String,
}

/// A made-up patient of a load test, signed in already.
pub struct LoadPatient {
    pub id: Uuid,
    pub source_id: String,
    pub nhs_number: String,
    pub token_sha256: [u8; 32],
}

/// One seeding transaction; remembers whom it wrote under which key.
pub struct Seeded {
    tx: Tx,
    trust: Option<Uuid>,
    accounts: HashMap<String, Uuid>,
    patients: HashMap<String, Uuid>,
}

impl Seeded {
    #[must_use]
    pub fn on(tx: Tx) -> Self {
        Self {
            tx,
            trust: None,
            accounts: HashMap::new(),
            patients: HashMap::new(),
        }
    }

    /// Writes a trust with its policy; the first one is the one that patients and staff belong to.
    ///
    /// # Errors
    /// Any [`StoreError`], as with everything here.
    pub async fn trust(&mut self, trust: &Trust, policy: &Policy) -> Result<Uuid, StoreError> {
        let id = Uuid::now_v7();
        self.tx
            .execute(
                "INSERT INTO trusts (id, ods_code, name, short_name, switchboard, policy_version)
                 VALUES ($1, $2, $3, $4, '01432 000000', $5)",
                &[
                    &id,
                    &trust.ods_code,
                    &trust.name,
                    &trust.short_name,
                    &policy.version,
                ],
            )
            .await?;
        policies::insert(&self.tx, id, policy).await?;
        if trust.live {
            self.tx
                .execute(
                    "INSERT INTO rollout (trust_id, specialty, letter_kind, live_from)
                     SELECT $1, '*', kind, app_now() - interval '30 days' FROM unnest(ARRAY['appointment', 'clinic']) kind",
                    &[&id],
                )
                .await?;
        }
        self.trust.get_or_insert(id);
        Ok(id)
    }

    pub async fn api_key(
        &self,
        trust: Uuid,
        label: &str,
        sha256: &[u8; 32],
    ) -> Result<(), StoreError> {
        self.tx
            .execute(
                "INSERT INTO trust_api_keys (id, trust_id, label, key_sha256) VALUES ($1, $2, $3, $4)",
                &[&Uuid::now_v7(), &trust, &label, &sha256.as_slice()],
            )
            .await
            .map(drop)
    }

    pub async fn person(&mut self, person: &Person<'_>) -> Result<(), StoreError> {
        let account = Uuid::now_v7();
        let kind = if person.staff { "staff" } else { "person" };
        let name = format!("{} {}", person.given, person.family);
        let email = format!("{}@example.test", person.key);
        self.tx
            .execute(
                "INSERT INTO accounts (id, kind, display_name, email, email_verified_at, mobile, mobile_verified_at)
                 VALUES ($1, $2, $3, $4, app_now(), $5, app_now())",
                &[&account, &kind, &name, &email, &person.mobile],
            )
            .await?;
        self.tx
            .execute(
                "INSERT INTO identities (issuer, subject, account_id) VALUES ($1, $2, $3)",
                &[&person.issuer, &person.key, &account],
            )
            .await?;
        self.accounts.insert(person.key.to_owned(), account);
        match person.nhs_number {
            Some(nhs_number) => self.mailbox(person, nhs_number, account).await,
            None => Ok(()),
        }
    }

    /// Another way for somebody written before to sign in, under the same name.
    pub async fn identity(&self, issuer: &str, key: &str) -> Result<(), StoreError> {
        self.tx
            .execute(
                "INSERT INTO identities (issuer, subject, account_id) VALUES ($1, $2, $3)",
                &[&issuer, &key, &self.accounts[key]],
            )
            .await
            .map(drop)
    }

    async fn mailbox(
        &mut self,
        person: &Person<'_>,
        nhs_number: &str,
        account: Uuid,
    ) -> Result<(), StoreError> {
        let id = Uuid::now_v7();
        let birth = NaiveDate::from_ymd_opt(1951, 4, 3);
        self.tx
            .execute(
                "INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines, phone)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[&id, &nhs_number, &person.given, &person.family, &birth, &person.address_lines, &person.mobile],
            )
            .await?;
        self.tx
            .execute(
                "INSERT INTO patient_sources (trust_id, source_id, patient_id, source_version, body_sha256, answer)
                 VALUES ($1, $2, $3, 0, ''::bytea, '{}')",
                &[&self.trust, &person.key, &id],
            )
            .await?;
        self.tx
            .execute(
                "INSERT INTO memberships (patient_id, account_id, joined_at)
                 VALUES ($1, $2, app_now() - interval '7 days')",
                &[&id, &account],
            )
            .await?;
        self.patients.insert(person.key.to_owned(), id);
        Ok(())
    }

    pub async fn grant(
        &self,
        carer: &str,
        patient: &str,
        relationship: &str,
        ticks: &[&str],
    ) -> Result<(), StoreError> {
        self.tx
            .execute(
                "INSERT INTO grants (id, patient_id, carer_account_id, relationship, ticks, version)
                 VALUES ($1, $2, $3, $4, $5, 1)",
                &[&Uuid::now_v7(), &self.patients[patient], &self.accounts[carer], &relationship, &ticks],
            )
            .await?;
        self.tx
            .execute(
                "UPDATE patients SET grants_version = 1 WHERE id = $1",
                &[&self.patients[patient]],
            )
            .await
            .map(drop)
    }

    pub async fn staff(&self, account: &str, role: &str) -> Result<(), StoreError> {
        self.tx
            .execute(
                "INSERT INTO staff_roles (account_id, trust_id, role) VALUES ($1, $2, $3)",
                &[&self.accounts[account], &self.trust, &role],
            )
            .await
            .map(drop)
    }

    /// Books everybody in `patients` into tomorrow's session, five minutes apart from nine o'clock; all have read it.
    pub async fn clinic(&self, code: &str, patients: &[&str]) -> Result<NaiveDate, StoreError> {
        let row = self
            .tx
            .query_one(
                "SELECT ((app_now() AT TIME ZONE 'Europe/London') + interval '1 day')::date",
                &[],
            )
            .await?;
        let day: NaiveDate = row.try_get(0)?;
        let nine = day.and_time(NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default());
        for (place, patient) in (0_i32..).zip(patients) {
            self.tx
                .execute(
                    "INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer,
                        state, change, starts_at, minutes, specialty, clinic, clinic_code, location, contact_phone,
                        contact_hours, instructions, bring, opened_change, opened_at)
                     VALUES ($1, $2, $3, $4, 0, ''::bytea, '{}', 'booked', 1,
                        ($5::timestamp + $6 * interval '5 minutes') AT TIME ZONE 'Europe/London', 30, 'Ophthalmology',
                        'Eye clinic', $7, 'Eye clinic, County Hospital, Hereford', '01432 000000',
                        'Monday to Friday, 9am to 5pm', 'Please arrive ten minutes early.',
                        'Your glasses, and a list of your medicines.', 1, app_now())",
                    &[
                        &Uuid::now_v7(),
                        &self.trust,
                        &format!("{code}-{patient}"),
                        &self.patients[*patient],
                        &nine,
                        &f64::from(place),
                        &code,
                    ],
                )
                .await?;
        }
        Ok(day)
    }

    /// A visit of one patient on the first weekday at least four weeks on, at 10:20; it has been read.
    pub async fn visit(&self, patient: &str) -> Result<(), StoreError> {
        const VISIT: &str = "
            INSERT INTO appointments (id, trust_id, source_id, patient_id, source_version, body_sha256, answer, state, change,
                starts_at, minutes, specialty, clinic, location, contact_phone, contact_hours, contact_email, instructions,
                bring, opened_change, opened_at)
            SELECT $1, $2, $3, $4, 0, ''::bytea, '{}', 'booked', 1,
                (day + CASE extract(isodow FROM day) WHEN 6 THEN 2 WHEN 7 THEN 1 ELSE 0 END + time '10:20')
                    AT TIME ZONE 'Europe/London',
                60, 'Ophthalmology', 'Eye clinic', 'Eye clinic, County Hospital, Hereford', '01432 000000',
                'Monday to Friday, 9am to 5pm', 'eye.bookings@example.test', 'Please do not drive yourself.',
                'Your glasses, and a list of your medicines.', 1, app_now()
            FROM (SELECT (app_now() AT TIME ZONE 'Europe/London')::date + 28 AS day) AS planned";
        let params: super::Params<'_> = &[
            &Uuid::now_v7(),
            &self.trust,
            &format!("visit-{patient}"),
            &self.patients[patient],
        ];
        self.tx.execute(VISIT, params).await.map(drop)
    }

    /// Many patients with accounts and sessions, by COPY.
    pub async fn load_patients(
        &self,
        trust: Uuid,
        patients: &[LoadPatient],
    ) -> Result<(), StoreError> {
        let columns = [Type::UUID, Type::TEXT, Type::TEXT, Type::BYTEA];
        let client = self.tx.client();
        client
            .batch_execute("CREATE TEMPORARY TABLE load (id uuid, source_id text, nhs_number text, token bytea) ON COMMIT DROP")
            .await?;
        let sink = client.copy_in("COPY load FROM STDIN BINARY").await?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &columns));
        for patient in patients {
            let token = patient.token_sha256.as_slice();
            writer
                .as_mut()
                .write(&[&patient.id, &patient.source_id, &patient.nhs_number, &token])
                .await?;
        }
        writer.finish().await?;
        let spread = [
            "INSERT INTO patients (id, nhs_number, given_name, family_name, birth_date, address_lines)
             SELECT id, nhs_number, 'Test', 'Patient', '1960-01-01', ARRAY['1 Test Street', 'Hereford', 'HR1 2AA'] FROM load",
            "INSERT INTO accounts (id, kind, display_name, email, email_verified_at)
             SELECT id, 'person', 'Test Patient', source_id || '@example.test', app_now() FROM load",
            "INSERT INTO memberships (patient_id, account_id, joined_at)
             SELECT id, id, app_now() - interval '7 days' FROM load",
            "INSERT INTO sessions (id, token_sha256, account_id, csrf_secret, expires_at)
             SELECT gen_random_uuid(), token, id, sha256(token), app_now() + interval '8 hours' FROM load",
        ];
        for sql in spread {
            self.tx.execute(sql, &[]).await?;
        }
        self.tx
            .execute(
                "INSERT INTO patient_sources (trust_id, source_id, patient_id, source_version, body_sha256, answer)
                 SELECT $1, source_id, id, 0, ''::bytea, '{}' FROM load",
                &[&trust],
            )
            .await
            .map(drop)
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}
