//! Looks that change nothing and are looks all the same: an appointment's details read again, names on the booking
//! office's board, pages that were asked for and not given. Written before the first byte of the page leaves, for "Who
//! looked at my record".

use letterbox_domain::event::ItemRef;
use letterbox_domain::id::{AccountId, AppointmentId, GrantId, LetterId, TrustId};
use uuid::Uuid;

use super::{Principal, Store, StoreError, Tx};

/// The same person's look at the same appointment within a minute is one look: opening leads to the page.
const APPOINTMENT: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
    SELECT $1, a.trust_id, a.patient_id, 'appointment.view', 'appointment', a.id, true FROM appointments a
    WHERE a.id = $2 AND NOT EXISTS (
        SELECT FROM audit seen WHERE seen.patient_id = a.patient_id AND seen.account_id = $1 AND seen.object_id = a.id
        AND seen.action IN ('appointment.view', 'appointment.open') AND seen.allowed AND seen.at > app_now() - interval '1 minute')";

/// The text of an opened letter, read again on its page; opening leads there too.
const LETTER: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
    SELECT $1, l.trust_id, l.patient_id, 'letter.view', 'letter', l.id, true FROM letters l
    WHERE l.id = $2 AND NOT EXISTS (
        SELECT FROM audit seen WHERE seen.patient_id = l.patient_id AND seen.account_id = $1 AND seen.object_id = l.id
        AND seen.action = 'letter.view' AND seen.allowed AND seen.at > app_now() - interval '1 minute')";

/// A board lies open all day and draws itself again with every change: one row a person, patient and hour.
const BOARD: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
    SELECT $1, $2, named.patient_id, 'board.view', 'patient', named.patient_id, true
    FROM (SELECT c.patient_id FROM cases c WHERE c.id = ANY($3)
          UNION SELECT c.patient_id FROM tasks t JOIN cases c ON c.id = t.case_id WHERE t.id = ANY($4)
          UNION SELECT l.patient_id FROM tasks t JOIN letters l ON l.id = t.letter_id WHERE t.id = ANY($4)
          UNION SELECT r.patient_id FROM tasks t JOIN change_requests r ON r.id = t.request_id WHERE t.id = ANY($4)
          UNION SELECT r.patient_id FROM change_requests r WHERE r.id = ANY($5)) AS named
    WHERE NOT EXISTS (
        SELECT FROM audit seen WHERE seen.patient_id = named.patient_id AND seen.account_id = $1 AND seen.action = 'board.view'
        AND seen.at > app_now() - interval '1 hour')";

/// Whoever asks for a page of what is not theirs. A patient's own item from before they joined is no such thing.
const NOT_THEIR_LETTER: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
    SELECT $1, w.trust_id, w.patient_id, 'letter.view', 'letter', $2, false FROM whose_letter($2) AS w
    WHERE w.patient_id <> ALL((SELECT own_boxes())::uuid[])";

const NOT_THEIR_APPOINTMENT: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
    SELECT $1, w.trust_id, w.patient_id, 'appointment.view', 'appointment', $2, false FROM whose_appointment($2) AS w
    WHERE w.patient_id <> ALL((SELECT own_boxes())::uuid[])";

/// A grant that has ended, once an hour: an open page asks by itself until it is closed.
const ENDED_GRANT: &str = "
    INSERT INTO audit (account_id, trust_id, patient_id, action, object_kind, object_id, allowed)
    SELECT $1, NULL, g.patient_id, 'mailbox.view', 'grant', g.id, false FROM grants g
    WHERE g.id = $2 AND g.carer_account_id = $1 AND NOT EXISTS (
        SELECT FROM audit seen WHERE seen.account_id = $1 AND seen.patient_id = g.patient_id AND seen.object_id = g.id
        AND NOT seen.allowed AND seen.at > app_now() - interval '1 hour')";

/// What somebody was not let at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// A letter or an appointment.
    Item(ItemRef),
    /// A mailbox, by a grant of theirs that does not stand.
    Grant(GrantId),
}

/// What stands on a board, by its ids.
#[derive(Clone, Debug, Default)]
pub struct OnBoard {
    /// Cases of letters and of changes of appointments.
    pub cases: Vec<Uuid>,
    /// Tasks.
    pub tasks: Vec<Uuid>,
    /// Requests to cancel or rebook.
    pub requests: Vec<Uuid>,
}

impl Store {
    /// Somebody who may see it is about to see an appointment's details.
    ///
    /// # Errors
    /// Any [`StoreError`]; the page must not be shown then.
    pub async fn saw_appointment(
        &self,
        account: AccountId,
        appointment: AppointmentId,
    ) -> Result<(), StoreError> {
        let whose = Principal::Account { account };
        let write = |tx: Tx| async move {
            let params: super::Params<'_> = &[&account.as_uuid(), &appointment.as_uuid()];
            tx.execute(APPOINTMENT, params).await.map(drop)
        };
        self.run("appointments.seen", &whose, write).await
    }

    /// Somebody who may see it is about to read an opened letter's text again.
    ///
    /// # Errors
    /// Any [`StoreError`]; the page must not be shown then.
    pub async fn saw_letter(&self, account: AccountId, letter: LetterId) -> Result<(), StoreError> {
        let whose = Principal::Account { account };
        let write = |tx: Tx| async move {
            let params: super::Params<'_> = &[&account.as_uuid(), &letter.as_uuid()];
            tx.execute(LETTER, params).await.map(drop)
        };
        self.run("letters.seen", &whose, write).await
    }

    /// Somebody asked for a page of what is not theirs to see; nothing for what there is not.
    ///
    /// # Errors
    /// Any [`StoreError`].
    pub async fn turned_away(&self, account: AccountId, from: Closed) -> Result<(), StoreError> {
        let whose = Principal::Account { account };
        let (sql, id) = match from {
            Closed::Item(ItemRef::Letter(id)) => (NOT_THEIR_LETTER, id.as_uuid()),
            Closed::Item(ItemRef::Appointment(id)) => (NOT_THEIR_APPOINTMENT, id.as_uuid()),
            Closed::Grant(id) => (ENDED_GRANT, id.as_uuid()),
        };
        let write =
            |tx: Tx| async move { tx.execute(sql, &[&account.as_uuid(), &id]).await.map(drop) };
        self.run("looks.turned_away", &whose, write).await
    }

    /// A member of the trust's staff is about to see these patients' names.
    ///
    /// # Errors
    /// Any [`StoreError`]; the board must not be shown then.
    pub async fn saw_board(
        &self,
        account: AccountId,
        trust: TrustId,
        shown: &OnBoard,
    ) -> Result<(), StoreError> {
        let whose = Principal::Account { account };
        let write = |tx: Tx| async move {
            let params: super::Params<'_> = &[
                &account.as_uuid(),
                &trust.as_uuid(),
                &shown.cases,
                &shown.tasks,
                &shown.requests,
            ];
            tx.execute(BOARD, params).await.map(drop)
        };
        self.run("boards.seen", &whose, write).await
    }
}
