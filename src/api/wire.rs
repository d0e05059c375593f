//! The JSON of the trust API: what comes in and what goes out. Domain types are converted here, never serialised.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a trust knows of a patient. A rising `source_version` orders updates.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PatientForm {
    /// Higher than any sent before for this patient; the same version must carry the same body.
    pub source_version: i64,
    /// Ten digits, check digit by modulus 11; spaces are allowed.
    #[schema(example = "999 000 0018")]
    pub nhs_number: String,
    pub name: NameForm,
    pub birth_date: NaiveDate,
    /// 2 to 7 lines, the postcode last; empty where no address is known.
    #[serde(default)]
    pub address_lines: Vec<String>,
    /// Where staff can phone the patient.
    pub phone: Option<String>,
    /// `large_print`, `braille`, `audio` or `easy_read`, where standard print cannot be read.
    pub format_need: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NameForm {
    pub given: String,
    pub family: String,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactForm {
    /// Whom the patient phones about this letter or appointment.
    pub phone: String,
    #[schema(example = "Monday to Friday, 9am to 5pm")]
    pub hours: Option<String>,
}

/// Whom the patient asks about an appointment.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BookingContactForm {
    pub phone: String,
    #[schema(example = "Monday to Friday, 9am to 5pm")]
    pub hours: Option<String>,
    pub email: Option<String>,
}

/// The PDF: uploaded before (by its hash) or in the request.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum DocumentForm {
    /// SHA-256 of a document uploaded with `POST /documents`, lowercase hex.
    Sha256(String),
    PdfBase64(String),
}

/// A letter to publish. `source_id` is the trust's own id: sent again with the same content it changes nothing.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LetterForm {
    #[schema(max_length = 64)]
    pub source_id: String,
    /// The trust's id of the patient, as in `PUT /patients/{source_id}`.
    pub patient: String,
    /// Repeated so that a mixed-up id is caught.
    pub nhs_number: String,
    /// `appointment` or `clinic`.
    pub kind: String,
    pub title: String,
    pub specialty: String,
    pub clinic: String,
    pub contact: ContactForm,
    /// The trust's id of the appointment this letter is about.
    pub appointment: Option<String>,
    pub authored_at: DateTime<Utc>,
    /// Must be true: an unsigned draft is refused.
    pub signed: bool,
    /// The letter's whole text, as an accessible alternative to the PDF.
    pub full_text: Option<String>,
    /// Hidden until then, so that a clinician can speak first; its deadline runs from then.
    pub release_at: Option<DateTime<Utc>>,
    pub document: DocumentForm,
}

/// How a letter stands; the answer to publishing and to asking.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LetterView {
    pub letter_id: Uuid,
    pub source_id: String,
    /// `held`, `published`, `opened`, `withdrawn` or `superseded`.
    pub state: String,
    /// `portal`, `we_post` or `you_post`: who brings this letter to the patient. Binding.
    pub route: String,
    pub route_reason: String,
    /// The dated sentence the patient reads.
    pub promise: String,
    /// When it was committed, or released.
    pub published_at: DateTime<Utc>,
    /// When paper or a person takes over.
    pub deadline_at: Option<DateTime<Utc>>,
    /// The print cut-off at which it is posted unless it is opened before.
    pub post_at: Option<DateTime<Utc>>,
    pub opened_at: Option<DateTime<Utc>>,
    pub posted_at: Option<DateTime<Utc>>,
    pub state_url: String,
}

/// How a letter stands, and how it came to that.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LetterStoryView {
    #[serde(flatten)]
    pub letter: LetterView,
    /// What has happened to it, oldest first.
    pub timeline: Vec<MomentView>,
}

/// One thing that happened to a letter.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MomentView {
    pub at: DateTime<Utc>,
    /// Stable; more kinds may come.
    #[schema(example = "case.opened")]
    pub kind: String,
    /// One sentence for people.
    #[schema(example = "Opened by the patient.")]
    pub text: String,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchForm {
    /// At most as many as the setting `intake.max_batch`; the answer has one result an item, in this order.
    #[schema(value_type = Vec<LetterForm>)]
    pub letters: Vec<serde_json::Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchView {
    pub results: Vec<BatchResult>,
}

/// One letter's result: the status it would have had alone, with the letter or the problem.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchResult {
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letter: Option<LetterView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<crate::problem::Problem>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WithdrawForm {
    /// Shown to the patient: "Withdrawn by the hospital: …". No clinical words.
    pub reason: String,
}

/// An appointment as it stands now. A rising `source_version` orders publish, move and cancel.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppointmentForm {
    pub source_version: i64,
    pub patient: String,
    pub nhs_number: String,
    /// `booked` or `cancelled`.
    pub state: String,
    pub starts_at: DateTime<Utc>,
    pub minutes: Option<i32>,
    pub specialty: String,
    pub clinic: String,
    /// Names one session of a clinic, so that the whole session can be cancelled at once.
    pub clinic_code: Option<String>,
    pub location: String,
    pub contact: BookingContactForm,
    /// What to bring.
    pub bring: Option<String>,
    pub instructions: Option<String>,
    pub cancel_reason: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppointmentView {
    pub appointment_id: Uuid,
    pub source_id: String,
    /// `applied`, `unchanged` or `stale` (a newer version is already here; nothing changed).
    pub outcome: String,
    pub state: String,
    pub promise: String,
    /// `portal`, `we_post` or `you_post`.
    pub route: String,
    /// When paper or a person takes over.
    pub deadline_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PatientView {
    pub patient: String,
    /// `applied`, `unchanged` or `stale`.
    pub outcome: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DocumentView {
    /// SHA-256 of the file, lowercase hex: its name in `document.sha256`.
    pub document: String,
    pub pages: u32,
    pub size_bytes: usize,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelClinicForm {
    /// The day of the session, in Europe/London.
    pub day: NaiveDate,
    /// Shown to the patients.
    pub reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CancelClinicView {
    /// Appointments that this call cancelled; 0 where it had been done before.
    pub cancelled: usize,
}

/// Refused input that somebody at the trust must look at.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantineView {
    pub id: Uuid,
    pub kind: String,
    pub source_id: Option<String>,
    pub code: String,
    pub detail: String,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuarantineList {
    pub items: Vec<QuarantineView>,
    /// Pass as `after` to read on; absent on the last page.
    pub next: Option<Uuid>,
}

/// A patient's request that waits for an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeRequestView {
    pub id: Uuid,
    /// Your id of the appointment.
    pub appointment: String,
    /// `cancel` or `rebook`.
    pub wish: String,
    /// The patient's own words.
    pub note: Option<String>,
    pub asked_at: DateTime<Utc>,
    /// Unanswered then, it becomes a task on the board.
    pub answer_by: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeRequestList {
    pub items: Vec<ChangeRequestView>,
}

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeAnswerForm {
    /// `accepted` or `declined`. Accepting changes nothing yet: send the appointment as it then stands.
    pub answer: String,
    /// Shown to the patient; 500 characters at most.
    pub message: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeAnswerView {
    pub state: String,
}
