//! Appointments of a trust: published, moved and cancelled by a rising version; whole clinic sessions cancelled at once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use letterbox_domain::appointment::AppointmentState;
use letterbox_domain::person::NhsNumber;

use super::wire::{AppointmentForm, AppointmentView, CancelClinicForm, CancelClinicView};
use super::{Api, answer, body, who};
use crate::commands::cancel_clinic::cancel_clinic as cancel_session;
use crate::commands::put_appointment::{NewAppointment, put_appointment};
use crate::problem::Problem;

/// Takes in an appointment as it now stands.
#[utoipa::path(put, path = "/api/v1/appointments/{source_id}", tag = "appointments", request_body = AppointmentForm,
    params(("source_id" = String, Path, description = "The trust's id of the appointment.")),
    responses((status = 201, description = "New to us.", body = AppointmentView),
              (status = 200, description = "`applied`, `unchanged` or `stale`.", body = AppointmentView),
              (status = 409, description = "`source_version_reused`, `patient_mismatch`: kept in quarantine.", body = Problem),
              (status = 422, body = Problem)))]
pub(super) async fn put(
    request: HttpRequest,
    api: web::Data<Api>,
    source_id: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: AppointmentForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let from = who::From {
        kind: "appointment",
        source_id: &source_id,
        form: &form,
    };
    let nhs_number = who::nhs_number(&api, &sender, &form.nhs_number, from).await?;
    let appointment = parse(source_id.into_inner(), nhs_number, form)?;
    let (answer, wake) = put_appointment(&api.store, &sender, &appointment)
        .await
        .map_err(|error| answer::command_problem(&error))?;
    api.bells.ring(wake);
    let status = if answer.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(HttpResponse::build(status).json(AppointmentView {
        appointment_id: answer.appointment_id.as_uuid(),
        source_id: answer.source_id,
        outcome: answer.outcome.name().to_owned(),
        state: answer.state.name().to_owned(),
        route: answer.route.name().to_owned(),
        promise: answer.promise,
        deadline_at: answer.deadline_at,
    }))
}

/// Cancels every booked appointment of one session of a clinic.
#[utoipa::path(post, path = "/api/v1/clinics/{clinic_code}/cancel", tag = "appointments", request_body = CancelClinicForm,
    params(("clinic_code" = String, Path, description = "As sent with the appointments.")),
    responses((status = 200, body = CancelClinicView), (status = 422, body = Problem)))]
pub(super) async fn cancel_clinic(
    request: HttpRequest,
    api: web::Data<Api>,
    clinic_code: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let sender = api.sender(&request).await?;
    let form: CancelClinicForm = body::json(&request, &mut payload, api.most_json_bytes).await?;
    let (cancelled, wake) = cancel_session(
        &api.store,
        &sender.principal(),
        sender.trust,
        &clinic_code,
        form.day,
        &form.reason,
    )
    .await
    .map_err(|error| answer::command_problem(&error))?;
    api.bells.ring(wake);
    Ok(HttpResponse::Ok().json(CancelClinicView { cancelled }))
}

fn parse(
    source_id: String,
    nhs_number: NhsNumber,
    form: AppointmentForm,
) -> Result<NewAppointment, Problem> {
    let state = AppointmentState::from_name(&form.state)
        .ok_or_else(|| Problem::field("invalid_field", "/state", "Use `booked` or `cancelled`."))?;
    Ok(NewAppointment {
        source_id,
        source_version: form.source_version,
        patient: form.patient,
        nhs_number,
        state,
        starts_at: form.starts_at,
        minutes: form.minutes,
        specialty: form.specialty,
        clinic: form.clinic,
        clinic_code: form.clinic_code,
        location: form.location,
        contact_phone: form.contact.phone,
        contact_hours: form.contact.hours,
        contact_email: form.contact.email,
        bring: form.bring,
        instructions: form.instructions,
        cancel_reason: form.cancel_reason,
    })
}
