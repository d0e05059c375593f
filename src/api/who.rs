//! The NHS number of a request: valid, or laid before a person at the trust.

use letterbox_domain::person::NhsNumber;
use serde::Serialize;
use serde_json::Value;

use super::{Api, answer};
use crate::commands::quarantined::quarantine;
use crate::commands::{Code, Refusal, TrustSystem};
use crate::problem::Problem;

/// What a number came with.
pub(super) struct From<'a, F> {
    pub(super) kind: &'static str,
    pub(super) source_id: &'a str,
    pub(super) form: &'a F,
}

/// Parses the number. A wrong one could be anybody's, so the input is quarantined before it is refused.
///
/// # Errors
/// 422 `invalid_nhs_number`; 503 where it could not be quarantined, so that it is sent again.
pub(super) async fn nhs_number<F: Serialize>(
    api: &Api,
    sender: &TrustSystem,
    text: &str,
    from: From<'_, F>,
) -> Result<NhsNumber, Problem> {
    let error = match NhsNumber::parse(text) {
        Ok(number) => return Ok(number),
        Err(error) => error,
    };
    let mut refusal = Refusal::new(Code::InvalidNhsNumber, super::letters::sentence(&error));
    refusal.field = Some("/nhs_number");
    let mut body = serde_json::to_value(from.form).unwrap_or(Value::Null);
    // A document's bytes are not kept; its sender has it.
    if let Some(document) = body.pointer_mut("/document/pdf_base64") {
        *document = Value::Null;
    }
    quarantine(
        &api.store,
        sender,
        from.kind,
        Some(from.source_id),
        &refusal,
        body,
    )
    .await
    .map_err(|error| answer::command_problem(&error))?;
    Err(answer::refused(&refusal))
}
