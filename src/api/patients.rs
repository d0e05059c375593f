//! Patients as a trust knows them: a rising version orders updates.

use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::person::{BirthDate, NhsNumber, PersonName};

use super::wire::{PatientForm, PatientView};
use super::{Api, answer, body, letters::sentence, who};
use crate::commands::put_patient::{NewPatient, put_patient};
use crate::problem::Problem;

/// Takes in a patient as the trust now knows them.
#[utoipa::path(put, path = "/api/v1/patients/{source_id}", tag = "patients", request_body = PatientForm,
    params(("source_id" = String, Path, description = "The trust's id of the patient.")),
    responses((status = 200, description = "`applied`, `unchanged` or `stale`.", body = PatientView),
              (status = 409, description = "`source_version_reused`, `patient_mismatch`: kept in quarantine.", body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn put(
    request: HttpRequest,
    api: web::Data<Api>,
    source_id: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: PatientForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let from = who::From {
        kind: "patient",
        source_id: &source_id,
        form: &form,
    };
    let nhs_number = who::nhs_number(&api, &sender, &form.nhs_number, from).await?;
    let patient = parse(source_id.into_inner(), nhs_number, form)?;
    let outcome = put_patient(&api.store, &sender, &patient)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    let view = PatientView {
        patient: patient.source_id,
        outcome: outcome.name().to_owned(),
    };
    Ok(HttpResponse::Ok().json(view))
}

fn parse(
    source_id: String,
    nhs_number: NhsNumber,
    form: PatientForm,
) -> Result<NewPatient, Problem> {
    let invalid = |pointer: &str, detail: String| Problem::field("invalid_field", pointer, detail);
    let name = PersonName::parse(&form.name.given, &form.name.family)
        .map_err(|error| invalid("/name", sentence(&error)))?;
    let birth_date = BirthDate::new(form.birth_date)
        .map_err(|error| invalid("/birth_date", sentence(&error)))?;
    Ok(NewPatient {
        source_id,
        source_version: form.source_version,
        nhs_number,
        name,
        birth_date,
        address_lines: form.address_lines,
        phone: form.phone,
        format_need: form.format_need,
    })
}
