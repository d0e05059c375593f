//! To whom something goes and by which route: the same for letters and appointments.

use chrono::{DateTime, Utc};
use letterbox_domain::letter::LetterKind;
use letterbox_domain::person::{BirthDate, NhsNumber};
use letterbox_domain::route::{Route, RouteFacts, RouteReason, decide_route};
use letterbox_domain::time::local_date;

use super::{Code, Refusal};
use crate::store::intake::{PatientFacts, Patients, Rollout};

/// The patient whom the trust means. Two ids must agree, so that a mixed-up one is caught.
pub(super) fn addressee<'a>(
    patients: &'a Patients,
    source_id: &str,
    nhs_number: &NhsNumber,
) -> Result<&'a PatientFacts, Refusal> {
    let patient = patients.get(source_id).ok_or_else(|| {
        let detail = "Send the patient with PUT /patients first, then send this again.";
        Refusal::new(Code::UnknownPatient, detail).at("/patient")
    })?;
    if patient.nhs_number != nhs_number.expose() {
        let detail = "The patient with this id has another NHS number. Find out whose this is.";
        return Err(Refusal::new(Code::PatientMismatch, detail).at("/nhs_number"));
    }
    Ok(patient)
}

/// Who delivers to this patient, and why.
pub(super) fn route(
    patient: &PatientFacts,
    kind: LetterKind,
    rollout: Rollout,
    now: DateTime<Utc>,
) -> (Route, RouteReason) {
    let today = local_date(now);
    decide_route(&RouteFacts {
        kind,
        is_live: rollout.is_live,
        paper: rollout.paper,
        is_member: patient.is_member,
        is_sixteen: BirthDate::new(patient.birth_date).is_ok_and(|born| born.is_sixteen_on(today)),
        has_format_need: patient.has_format_need,
        wants_paper: patient.wants_paper,
    })
}
