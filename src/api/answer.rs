//! From what commands and the store say to what the caller reads.

use crate::problem::Problem;
use crate::store::StoreError;

/// 503 for everything that passes by itself; anything else is our fault and logged once, here.
pub(super) fn store_problem(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable(_) | StoreError::Busy | StoreError::Contention(_) | StoreError::CommitUnknown => {
            tracing::warn!(%error, "answering 503");
            Problem::unavailable()
        }
        StoreError::Corrupt { .. } | StoreError::Refused { .. } | StoreError::Unfit(_) => {
            tracing::error!(%error, "answering 500");
            internal()
        }
    }
}

fn internal() -> Problem {
    let detail = "Something is wrong on our side; it has been recorded. Send the same request again later.";
    Problem::new(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}
