//! A whole session of a clinic is cancelled: every booked appointment in one transaction, each with its own case,
//! so that everybody who would come in vain is told by every channel, and the rest are phoned.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use letterbox_domain::appointment::AppointmentChange;
use letterbox_domain::id::{PatientId, TrustId};
use letterbox_domain::letter::LetterKind;

use super::addressees::route;
use super::appointment_changes::{Change, Circumstances, announce};
use super::forms::{check_line, check_source_id};
use super::{CommandError, Wake};
use crate::store::appointments::{self, Booked};
use crate::store::intake::{lock_by_id, trust as read_trust};
use crate::store::{Principal, Store, StoreError, Tx, policies};

/// Most appointments of one session: a day's clinic has dozens; this bounds one transaction's locks.
const MOST: i64 = 1_000;

/// Cancels every booked appointment of the session that has not begun; answers how many. `day` is the day in
/// Europe/London, `reason` is shown to the patients. Cancelled again, a session has none left: 0.
///
/// # Errors
/// [`super::Code::InvalidField`] for the code or the reason.
pub async fn cancel_clinic(
    store: &Store,
    principal: &Principal,
    trust: TrustId,
    clinic_code: &str,
    day: NaiveDate,
    reason: &str,
) -> Result<(usize, Wake), CommandError> {
    check_source_id("/clinic_code", clinic_code)?;
    check_line("/reason", reason, 200)?;
    let session = Session {
        principal,
        trust,
        clinic_code,
        day,
        reason,
    };
    store
        .run("clinics.cancel", principal, |tx| session.cancel(tx))
        .await
}

struct Session<'a> {
    principal: &'a Principal,
    trust: TrustId,
    clinic_code: &'a str,
    day: NaiveDate,
    reason: &'a str,
}

impl Session<'_> {
    async fn cancel(&self, tx: Tx) -> Result<(usize, Wake), CommandError> {
        let patients: Vec<PatientId> = self
            .booked(&tx)
            .await?
            .iter()
            .map(|booked| booked.patient)
            .collect();
        let (patients, mailboxes) = lock_by_id(&tx, &patients).await?;
        let Some(mut mailboxes) = mailboxes else {
            return Ok((0, Wake::default()));
        };
        // Read again under the locks. Whoever was booked in between is not locked, and was told of a standing session.
        let mut booked = self.booked(&tx).await?;
        booked.retain(|one| patients.contains_key(&one.patient));
        let specialties: BTreeSet<&str> = booked.iter().map(|one| one.specialty.as_str()).collect();
        let trust = read_trust(
            &tx,
            self.trust,
            &specialties.into_iter().collect::<Vec<_>>(),
        )
        .await?;
        let policy = policies::get(&tx, self.trust, trust.policy_version).await?;
        let mut changes = Vec::with_capacity(booked.len());
        let mut rows = Vec::with_capacity(booked.len());
        for one in &booked {
            let Some(patient) = patients.get(&one.patient) else {
                continue;
            };
            let rollout = trust.rollout(&one.specialty, LetterKind::Appointment);
            let (route, reason) = route(patient, LetterKind::Appointment, rollout, mailboxes.now);
            rows.push((one.id, route.name(), reason.name()));
            changes.push(Change {
                appointment: one.id,
                patient,
                kind: AppointmentChange::Cancelled,
                number: one.change + 1,
                starts_at: one.starts_at,
                restricted: one.restricted,
                route,
            });
        }
        appointments::cancel(&tx, self.reason, &rows).await?;
        let of = Circumstances {
            principal: self.principal,
            trust: self.trust,
            policy: &policy,
        };
        let wake = announce(&tx, &of, &mut mailboxes, &changes).await?;
        Ok((changes.len(), wake))
    }

    async fn booked(&self, tx: &Tx) -> Result<Vec<Booked>, StoreError> {
        appointments::session(tx, self.trust, self.clinic_code, self.day, MOST).await
    }
}
