//! Intake against a real database: what is promised to trusts and patients.

mod appointments;
mod change_requests;
mod documents;
mod faults;
mod joined;
mod joining;
mod lane;
mod letters;
mod patients;
mod publish;
mod wall;

use crate::commands::forms::NewLetter;
use crate::commands::publish_letters::{LetterAnswer, Publication, PublishResult, publish_letters};
use crate::commands::{Code, CommandError};
use crate::testing::{Hospital, TestDb};

async fn publish(db: &TestDb, hospital: &Hospital, letters: &[NewLetter]) -> Publication {
    publish_letters(db.store(), &hospital.system, letters)
        .await
        .expect("the call succeeds")
}

fn published(result: &PublishResult) -> &LetterAnswer {
    match result {
        PublishResult::Published(answer) => answer,
        other => panic!("not published: {other:?}"),
    }
}

fn refused(result: &PublishResult) -> Code {
    match result {
        PublishResult::Refused(refusal) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// The code of a refused call.
fn code<T: std::fmt::Debug>(result: Result<T, CommandError>) -> Code {
    match result {
        Err(CommandError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}
