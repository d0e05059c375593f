//! From a form that was vouched for to the command behind it, and the bells rung after its commit.
//!
//! Decides nothing: rights are checked again inside each command's own transaction.

use std::future::Future;

use chrono::NaiveDate;
use letterbox_domain::event::Event;
use letterbox_domain::id::{LetterId, TaskId, TrustId};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::nonce;
use super::portal::{Desk, Portal, Reader};
use crate::commands::cancel_clinic::cancel_clinic;
use crate::commands::close_task::{Done, TaskAnswer, close_task};
use crate::commands::open_appointment::open_appointment;
use crate::commands::open_letter::{self, Form, OpenError, Viewing};
use crate::commands::{CommandError, Wake};
use crate::store::Principal;
use crate::store::pages::AppointmentView;

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Refused(_) => Self::NotFound,
            CommandError::Store(error) => error.into(),
        }
    }
}

impl Portal {
    /// Tells open pages what a commit made.
    pub(super) fn heard(&self, events: Vec<Event>) {
        if !events.is_empty() {
            self.bells.ring(Wake {
                events,
                ..Wake::default()
            });
        }
    }
}

/// Uses the number up and hands the letter over; `None` if the number was used before, or the letter is not to be
/// opened by this reader (any more).
pub(crate) async fn begin(
    desk: &Desk,
    letter: LetterId,
    nonce: &str,
    form: Form,
) -> Result<Option<Viewing>, Failure> {
    let reader = &desk.reader;
    let nonce = Sha256::digest(nonce.as_bytes()).into();
    match open_letter::begin(
        &reader.portal.store,
        reader.session.account,
        letter,
        &nonce,
        form,
    )
    .await
    {
        Ok(viewing) => Ok(Some(viewing)),
        Err(OpenError::FormUsed | OpenError::Withdrawn | OpenError::NoFullText) => Ok(None),
        Err(OpenError::NotFound) => Err(Failure::NotFound),
        Err(OpenError::Store(error)) => Err(error.into()),
    }
}

/// The file of a letter that is known to have been opened: looking again uses up nothing and changes nothing.
pub(crate) async fn again(desk: &Desk, letter: LetterId) -> Result<Option<Viewing>, Failure> {
    begin(
        desk,
        letter,
        &nonce::mint(&desk.reader.session, letter),
        Form::Pdf,
    )
    .await
}

/// What happens once everything has been written: the letter is opened, and everybody who looks hears of it.
pub(crate) fn finish(desk: &Desk, viewing: Viewing) -> impl FnOnce() -> FinishFuture + 'static {
    let portal = desk.reader.portal.clone();
    move || {
        Box::pin(async move {
            match open_letter::finish(&portal.store, &viewing).await {
                Ok(opened) => portal.heard(opened.events),
                // The reader has read it and we have not written it down: it will be posted too. Safe, and logged.
                Err(error) => {
                    tracing::error!(letter = %viewing.letter, error = %error, "an opening was not recorded")
                }
            }
        })
    }
}

pub(crate) type FinishFuture = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// The details of an appointment are about to be shown.
pub(crate) async fn appointment(desk: &Desk, appointment: &AppointmentView) -> Result<(), Failure> {
    let reader = &desk.reader;
    let events =
        open_appointment(&reader.portal.store, reader.session.account, appointment.id).await?;
    reader.portal.heard(events.ok_or(Failure::NotFound)?);
    Ok(())
}

/// What a member of staff did about a task.
pub(crate) async fn task(
    reader: &Reader,
    trust: TrustId,
    task: TaskId,
    outcome: &str,
) -> Result<(), Failure> {
    let done = Done::from_name(outcome).ok_or(Failure::NotFound)?;
    let answer = close_task(&reader.portal.ladder, reader.session.account, task, done).await?;
    reader.portal.system.poke_board(trust);
    match answer {
        TaskAnswer::Closed { events } | TaskAnswer::Again { events, .. } => {
            reader.portal.bells.ring(Wake {
                events,
                cases: [trust].into(),
                ..Wake::default()
            });
            Ok(())
        }
        TaskAnswer::NotFound => Err(Failure::NotFound),
        TaskAnswer::ClosedAlready => Err(Failure::TooLate(
            "Somebody was quicker, or the patient has opened it meanwhile. Nothing is left to do.",
        )),
        TaskAnswer::NotForThis => Err(Failure::TooLate(
            "This task cannot be answered that way. Go back and press Done once it is seen to.",
        )),
        TaskAnswer::NotYours => Err(Failure::TooLate(
            "Information governance, or the manager of the booking office, takes this on. It waits for them here.",
        )),
        TaskAnswer::NotYet => Err(Failure::TooLate(
            "The patient can still take this back. Ten minutes after they said so, it can be taken on.",
        )),
        TaskAnswer::NoAddress => Err(Failure::TooLate(
            "There is no address to post to. Ask the patient for one, and have it corrected in your own system.",
        )),
        TaskAnswer::PrintedBefore => Err(Failure::TooLate(
            "This letter was printed before, and is never printed twice. Publish a new letter instead.",
        )),
    }
}

/// Cancels one session of a clinic for the staff of its trust; answers how many appointments that cancelled.
pub(crate) async fn clinic(
    reader: &Reader,
    trust: TrustId,
    code: &str,
    day: NaiveDate,
    reason: &str,
) -> Result<usize, Failure> {
    let principal = Principal::Account {
        account: reader.session.account,
    };
    let (cancelled, wake) =
        cancel_clinic(&reader.portal.store, &principal, trust, code, day, reason).await?;
    reader.portal.bells.ring(wake);
    reader.portal.system.poke_board(trust);
    Ok(cancelled)
}
