//! A trust tells of an appointment as it now stands: made, moved, cancelled, or only described better.
//! Whatever the patient must hear of gets a deadline of its own.

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::appointment::{AppointmentChange, AppointmentState};
use letterbox_domain::id::AppointmentId;
use letterbox_domain::letter::LetterKind;
use letterbox_domain::person::{Email, NhsNumber};
use letterbox_domain::policy::Policy;
use letterbox_domain::route::{Route, RouteReason};
use serde_json::{Value, json};

use super::addressees::{addressee, route};
use super::appointment_changes::{Change, Circumstances, announce};
use super::forms::{FormHash, check_line, check_optional_line, check_source_id, check_text};
use super::put_patient::{Applied, version_reused};
use super::quarantined::lay;
use super::{Code, CommandError, Refusal, TrustSystem, Wake, calendars};
use crate::store::appointments::{self, AppointmentRow, KnownAppointment};
use crate::store::history::{self, Entry};
use crate::store::intake::{self, PatientFacts, Patients, TrustFacts};
use crate::store::{Store, StoreError, Tx, policies};

/// An appointment as a trust tells of it. `Debug` is not derived: it is clinical.
#[derive(Clone)]
pub struct NewAppointment {
    /// The trust's id of it.
    pub source_id: String,
    /// Rises with every change at the trust.
    pub source_version: i64,
    /// The trust's id of the patient.
    pub patient: String,
    /// Repeated by the trust, so that a mixed-up id is caught.
    pub nhs_number: NhsNumber,
    /// Booked or cancelled.
    pub state: AppointmentState,
    /// When.
    pub starts_at: DateTime<Utc>,
    /// How long, in minutes.
    pub minutes: Option<i32>,
    /// Decides the roll-out and whether carers may see it.
    pub specialty: String,
    /// Shown.
    pub clinic: String,
    /// Names one session of the clinic, so that it can be cancelled at once.
    pub clinic_code: Option<String>,
    /// Where.
    pub location: String,
    /// Whom to phone about it.
    pub contact_phone: String,
    /// When.
    pub contact_hours: Option<String>,
    /// Where to write about it.
    pub contact_email: Option<String>,
    /// What to bring.
    pub bring: Option<String>,
    /// What to do.
    pub instructions: Option<String>,
    /// Shown when it is cancelled.
    pub cancel_reason: Option<String>,
}

/// How an appointment stands, as the trust is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppointmentAnswer {
    /// Our id of it.
    pub appointment_id: AppointmentId,
    /// The trust's id of it.
    pub source_id: String,
    /// What came of the call.
    pub outcome: Applied,
    /// Whether it is new to us.
    pub is_new: bool,
    /// Booked or cancelled.
    pub state: AppointmentState,
    /// Who delivers what must be told of it.
    pub route: Route,
    /// The dated sentence that everybody reads.
    pub promise: String,
    /// When paper or a person takes over.
    pub deadline_at: Option<DateTime<Utc>>,
}

/// Takes in an appointment as it now stands.
///
/// # Errors
/// [`Code::InvalidField`]; [`Code::UnknownPatient`], [`Code::PatientMismatch`] and [`Code::SourceVersionReused`],
/// which are also laid before a person at the trust.
pub async fn put_appointment(
    store: &Store,
    sender: &TrustSystem,
    appointment: &NewAppointment,
) -> Result<(AppointmentAnswer, Wake), CommandError> {
    appointment.check()?;
    let work = |tx| attempt(tx, sender, appointment);
    let done = match store
        .run("appointments.put", &sender.principal(), work)
        .await
    {
        // The version is its own key: asked again, it is either here or written now.
        Err(CommandError::Store(StoreError::CommitUnknown)) => {
            store
                .run("appointments.put", &sender.principal(), work)
                .await
        }
        settled => settled,
    };
    // A refusal is committed together with its row in the quarantine.
    done?.map_err(CommandError::from)
}

type Answered = (AppointmentAnswer, Wake);

async fn attempt(
    tx: Tx,
    sender: &TrustSystem,
    form: &NewAppointment,
) -> Result<Result<Answered, Refusal>, CommandError> {
    let (patients, mailboxes) = intake::lock_patients(&tx, sender.trust, &[&form.patient]).await?;
    let trust = intake::trust(&tx, sender.trust, &[&form.specialty]).await?;
    let known = appointments::known(&tx, sender.trust, &form.source_id).await?;
    let (Ok((patient, applied)), Some(mut mailboxes)) =
        (form.decide(&patients, known.as_ref()), mailboxes)
    else {
        let refusal = form
            .decide(&patients, known.as_ref())
            .err()
            .unwrap_or_else(version_reused);
        lay(
            &tx,
            sender.trust,
            "appointment",
            Some(&form.source_id),
            &refusal,
            form.to_json(),
        )
        .await?;
        return Ok(Err(refusal));
    };
    let mut wake = Wake::default();
    if applied == Applied::Applied {
        let policy = policies::get(&tx, sender.trust, trust.policy_version).await?;
        let put = Put {
            form,
            sender,
            trust: &trust,
            patient,
            known: known.as_ref(),
            sha256: form.sha256(),
        };
        wake = put.write(&tx, &policy, &mut mailboxes).await?;
    }
    let answer = form.answer(&tx, sender, applied, known.is_none()).await?;
    Ok(Ok((answer, wake)))
}

/// One appointment on its way in.
struct Put<'a> {
    form: &'a NewAppointment,
    sender: &'a TrustSystem,
    trust: &'a TrustFacts,
    patient: &'a PatientFacts,
    known: Option<&'a KnownAppointment>,
    sha256: [u8; 32],
}

impl Put<'_> {
    async fn write(
        &self,
        tx: &Tx,
        policy: &Policy,
        mailboxes: &mut crate::store::events::Locked,
    ) -> Result<Wake, StoreError> {
        let principal = self.sender.principal();
        let id = self
            .known
            .map_or_else(AppointmentId::random, |known| known.id);
        let rollout = self
            .trust
            .rollout(&self.form.specialty, LetterKind::Appointment);
        let (route, reason) = route(
            self.patient,
            LetterKind::Appointment,
            rollout,
            mailboxes.now,
        );
        let kind = self.change();
        let number = self.known.map_or(0, |known| known.change) + i32::from(kind.is_some());
        let restricted = self.trust.is_sensitive(&self.form.specialty);
        appointments::put(
            tx,
            self.sender.trust,
            &self.row(id, number, restricted, (route, reason)),
        )
        .await?;
        let Some(kind) = kind else {
            history::append(tx, &principal, &[self.described(id)]).await?;
            return Ok(Wake::default());
        };
        let of = Circumstances {
            principal: &principal,
            trust: self.sender.trust,
            policy,
        };
        let starts_at = self.form.starts_at;
        let change = Change {
            appointment: id,
            patient: self.patient,
            kind,
            number,
            starts_at,
            restricted,
            route,
        };
        announce(tx, &of, mailboxes, &[change]).await
    }

    /// What the patient must hear of; `None` where the appointment is only described better.
    fn change(&self) -> Option<AppointmentChange> {
        use AppointmentState::{Booked, Cancelled};
        let Some(known) = self.known else {
            return Some(match self.form.state {
                Booked => AppointmentChange::Published,
                Cancelled => AppointmentChange::Cancelled,
            });
        };
        match (known.state, self.form.state) {
            (Booked, Cancelled) => Some(AppointmentChange::Cancelled),
            (Cancelled, Booked) => Some(AppointmentChange::Published),
            (Cancelled, Cancelled) => None,
            (Booked, Booked) => {
                let moved =
                    known.starts_at != self.form.starts_at || known.location != self.form.location;
                moved.then_some(AppointmentChange::Moved {
                    from: known.starts_at,
                })
            }
        }
    }

    fn described(&self, id: AppointmentId) -> Entry {
        Entry {
            trust: self.sender.trust.as_uuid(),
            patient: Some(self.patient.id.as_uuid()),
            subject_kind: "appointment",
            subject: id.as_uuid(),
            kind: "appointment.described",
            policy_version: None,
            facts: json!({ "source_version": self.form.source_version }),
        }
    }

    fn row<'b>(
        &'b self,
        id: AppointmentId,
        change: i32,
        restricted: bool,
        (route, reason): (Route, RouteReason),
    ) -> AppointmentRow<'b> {
        let form = self.form;
        AppointmentRow {
            id,
            source_id: &form.source_id,
            patient: self.patient.id,
            source_version: form.source_version,
            body_sha256: &self.sha256,
            route: route.name(),
            reason: reason.name(),
            state: form.state,
            change,
            starts_at: form.starts_at,
            minutes: form.minutes,
            specialty: &form.specialty,
            clinic: &form.clinic,
            clinic_code: form.clinic_code.as_deref(),
            location: &form.location,
            contact_phone: &form.contact_phone,
            contact_hours: form.contact_hours.as_deref(),
            contact_email: form.contact_email.as_deref(),
            bring: form.bring.as_deref(),
            instructions: form.instructions.as_deref(),
            cancel_reason: form.cancel_reason.as_deref(),
            restricted,
        }
    }
}

impl NewAppointment {
    fn check(&self) -> Result<(), Refusal> {
        check_source_id("/source_id", &self.source_id)?;
        if self.source_version < 1 {
            return Err(Refusal::field(
                "/source_version",
                "Use a number from 1 that rises with every change.",
            ));
        }
        check_source_id("/patient", &self.patient)?;
        if self
            .minutes
            .is_some_and(|minutes| !(1..=24 * 60).contains(&minutes))
        {
            return Err(Refusal::field(
                "/minutes",
                "Use 1 to 1440 minutes, or leave the field out.",
            ));
        }
        check_line("/specialty", &self.specialty, 100)?;
        check_line("/clinic", &self.clinic, 200)?;
        if let Some(code) = &self.clinic_code {
            check_source_id("/clinic_code", code)?;
        }
        check_line("/location", &self.location, 300)?;
        check_line("/contact/phone", &self.contact_phone, 40)?;
        check_optional_line("/contact/hours", self.contact_hours.as_deref(), 100)?;
        check_optional_line("/contact/email", self.contact_email.as_deref(), 254)?;
        if self
            .contact_email
            .as_deref()
            .is_some_and(|email| Email::parse(email).is_err())
        {
            return Err(Refusal::field(
                "/contact/email",
                "Use an email address, or leave the field out.",
            ));
        }
        check_text("/bring", self.bring.as_deref(), 2_000)?;
        check_text("/instructions", self.instructions.as_deref(), 2_000)?;
        check_optional_line("/cancel_reason", self.cancel_reason.as_deref(), 200)?;
        let (first, last) = (
            DateTime::UNIX_EPOCH,
            DateTime::UNIX_EPOCH + TimeDelta::days(365 * 200),
        );
        if self.starts_at < first || self.starts_at > last {
            return Err(Refusal::field(
                "/starts_at",
                "Use a time between 1970 and 2169.",
            ));
        }
        Ok(())
    }

    /// Whose it is and what becomes of it.
    fn decide<'a>(
        &self,
        patients: &'a Patients,
        known: Option<&KnownAppointment>,
    ) -> Result<(&'a PatientFacts, Applied), Refusal> {
        let patient = addressee(patients, &self.patient, &self.nhs_number)?;
        let Some(known) = known else {
            return Ok((patient, Applied::Applied));
        };
        if known.patient != patient.id {
            let detail = "The appointment with this id is another patient's. Find out whose it is.";
            return Err(Refusal::new(Code::PatientMismatch, detail).at("/patient"));
        }
        let (version, body) = &known.source;
        let applied = Applied::judge((*version, body), self.source_version, &self.sha256());
        Ok((patient, applied.ok_or_else(version_reused)?))
    }

    async fn answer(
        &self,
        tx: &Tx,
        sender: &TrustSystem,
        outcome: Applied,
        is_new: bool,
    ) -> Result<AppointmentAnswer, StoreError> {
        let known = appointments::known(tx, sender.trust, &self.source_id).await?;
        let known = known
            .ok_or_else(|| StoreError::corrupt("appointments", "source_id", "it was just there"))?;
        let case = known.facts.case.as_ref();
        let policy = match case {
            Some(case) => policies::get(tx, sender.trust, case.policy_version).await?,
            None => policies::current(tx, sender.trust).await?,
        };
        Ok(AppointmentAnswer {
            appointment_id: known.id,
            source_id: self.source_id.clone(),
            outcome,
            is_new,
            state: known.state,
            route: known.facts.route,
            promise: known.facts.promise(&policy, calendars(), known.now),
            deadline_at: case.map(|case| case.deadline_at),
        })
    }

    fn sha256(&self) -> [u8; 32] {
        let mut hash = FormHash::new("appointment 1");
        hash.text(&self.source_id)
            .text(&self.patient)
            .text(&self.nhs_number.expose())
            .text(self.state.name());
        hash.time(Some(self.starts_at))
            .flag(self.minutes.is_some())
            .number(self.minutes.unwrap_or(0).into());
        hash.text(&self.specialty)
            .text(&self.clinic)
            .option(self.clinic_code.as_deref())
            .text(&self.location);
        hash.text(&self.contact_phone)
            .option(self.contact_hours.as_deref());
        hash.option(self.instructions.as_deref())
            .option(self.cancel_reason.as_deref());
        // Fields that came later count only where they are sent, so that earlier hashes stay what they were.
        for field in [&self.contact_email, &self.bring].into_iter().flatten() {
            hash.text(field);
        }
        hash.done()
    }

    /// As kept in the quarantine.
    fn to_json(&self) -> Value {
        json!({
            "source_id": self.source_id, "source_version": self.source_version, "patient": self.patient,
            "nhs_number": self.nhs_number.expose(), "state": self.state.name(), "starts_at": self.starts_at,
            "minutes": self.minutes, "specialty": self.specialty, "clinic": self.clinic,
            "clinic_code": self.clinic_code, "location": self.location,
            "contact": { "phone": self.contact_phone, "hours": self.contact_hours, "email": self.contact_email },
            "bring": self.bring, "instructions": self.instructions, "cancel_reason": self.cancel_reason,
        })
    }
}
