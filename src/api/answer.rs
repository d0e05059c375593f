//! From what commands, lanes and the store say to what the caller reads.

use actix_web::http::StatusCode;

use super::wire::{LetterStoryView, LetterView, MomentView};
use crate::commands::intake_lane::LaneError;
use crate::commands::letter_timeline::Moment;
use crate::commands::publish_letters::{LetterAnswer, PublishResult};
use crate::commands::{Code, CommandError, Fault, Refusal};
use crate::inspect::{InspectError, Refusal as BadFile};
use crate::problem::{FieldProblem, Problem};
use crate::store::StoreError;

/// 503 for everything that passes by itself; anything else is our fault and logged once, here.
pub(super) fn store_problem(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable(_)
        | StoreError::Busy
        | StoreError::Contention(_)
        | StoreError::CommitUnknown => {
            tracing::warn!(%error, "api.unavailable");
            Problem::unavailable()
        }
        StoreError::Unstorable => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_field",
            "A text holds the character U+0000, which cannot be stored. Leave it out.",
        ),
        StoreError::Corrupt { .. } | StoreError::Refused { .. } | StoreError::Unfit(_) => {
            tracing::error!(%error, "api.failed");
            let detail = "Something is wrong on our side; it has been recorded. Send the same request again later.";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
        }
    }
}

pub(super) fn command_problem(error: &CommandError) -> Problem {
    match error {
        CommandError::Refused(refusal) => refused(refusal),
        CommandError::Store(error) => store_problem(error),
    }
}

pub(super) fn lane_problem(error: &LaneError) -> Problem {
    match error {
        LaneError::Full => Problem::too_many(1),
        LaneError::Unavailable(error) => command_problem(error),
    }
}

/// A refusal of the input, with the field to blame where there is one.
pub(super) fn refused(refusal: &Refusal) -> Problem {
    let status = match refusal.code.fault() {
        Fault::NotFound => StatusCode::NOT_FOUND,
        Fault::Conflict => StatusCode::CONFLICT,
        Fault::Invalid if refusal.code == Code::TooManyItems => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let errors = refusal.field.map(|pointer| FieldProblem {
        pointer: pointer.to_owned(),
        detail: refusal.detail.clone().into_owned(),
    });
    Problem {
        errors: errors.into_iter().collect(),
        ..Problem::new(status, refusal.code.name(), refusal.detail.clone())
    }
}

pub(super) fn bad_file(refusal: BadFile) -> Problem {
    Problem::field(refusal.code(), "/document", refusal.advice())
}

pub(super) fn inspection_problem(error: &InspectError) -> Problem {
    match error {
        InspectError::Busy => Problem::too_many(1),
        InspectError::Start(error) => {
            tracing::error!(%error, "inspect.child_not_started");
            Problem::unavailable()
        }
    }
}

/// Status and body for one letter: 201 new, 200 here already.
pub(super) fn published(result: &PublishResult) -> Result<(StatusCode, LetterView), Problem> {
    match result {
        PublishResult::Published(answer) => Ok((StatusCode::CREATED, letter_view(answer))),
        PublishResult::Repeated(answer) => Ok((StatusCode::OK, letter_view(answer))),
        PublishResult::Refused(refusal) => Err(refused(refusal)),
    }
}

pub(super) fn letter_story(answer: &LetterAnswer, moments: Vec<Moment>) -> LetterStoryView {
    let timeline = moments.into_iter().map(|moment| MomentView {
        at: moment.at,
        kind: moment.kind,
        text: moment.text,
    });
    LetterStoryView {
        letter: letter_view(answer),
        timeline: timeline.collect(),
    }
}

pub(super) fn letter_view(answer: &LetterAnswer) -> LetterView {
    LetterView {
        letter_id: answer.letter_id.as_uuid(),
        source_id: answer.source_id.clone(),
        state: answer.state.name().to_owned(),
        route: answer.route.name().to_owned(),
        route_reason: answer.reason.name().to_owned(),
        promise: answer.promise.clone(),
        published_at: answer.published_at,
        deadline_at: answer.deadline_at,
        post_at: answer.post_at,
        opened_at: answer.opened_at,
        posted_at: answer.posted_at,
        state_url: format!("/api/v1/letters/{}", answer.source_id),
    }
}
