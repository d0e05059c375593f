//! The hospital as a [`MailboxReader`] and a [`BoardReader`].

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use letterbox_domain::{
    event::Event,
    id::{PatientId, Seq, TrustId},
    mailbox::Mailbox,
};

use super::hospital::Hospital;
use crate::ports::{BoardReader, Head, Heads, MailboxReader, MailboxSnapshot, NodeId, PortResult};

#[async_trait]
impl MailboxReader for Hospital {
    async fn snapshot(&self, patient: PatientId) -> PortResult<Option<MailboxSnapshot>> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.reach().await?;
        let state = self.lock();
        Ok(state.boxes.get(&patient).map(|mailbox| MailboxSnapshot {
            patient,
            head: mailbox.head(),
            grants_version: mailbox.grants_version,
            grants: mailbox.grants.clone(),
            items: Mailbox::replay(&mailbox.log).items().to_vec(),
        }))
    }

    async fn since(&self, patient: PatientId, after: Seq, limit: u16) -> PortResult<Vec<Event>> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.reach().await?;
        let mut events = self.events_after(patient, after);
        events.truncate(usize::from(limit));
        self.be_late().await;
        Ok(events)
    }

    async fn heads(&self, _: NodeId, patients: &[PatientId]) -> PortResult<Heads> {
        self.questions.fetch_add(1, Ordering::Relaxed);
        self.largest_question
            .fetch_max(patients.len(), Ordering::Relaxed);
        self.reach().await?;
        let state = self.lock();
        let head = |patient: &PatientId| {
            let mailbox = state.boxes.get(patient)?;
            Some(Head {
                patient: *patient,
                seq: mailbox.head(),
                grants_version: mailbox.grants_version,
            })
        };
        Ok(Heads {
            began: self.now(),
            heads: patients.iter().filter_map(head).collect(),
        })
    }

    async fn polled(&self, _: NodeId, began: DateTime<Utc>) -> PortResult<()> {
        self.reach().await?;
        self.lock().polled_from = Some(began);
        Ok(())
    }
}

#[async_trait]
impl BoardReader for Hospital {
    async fn marks(&self, trusts: &[TrustId]) -> PortResult<Vec<(TrustId, i64)>> {
        self.reach().await?;
        let state = self.lock();
        Ok(trusts
            .iter()
            .map(|trust| (*trust, state.marks.get(trust).copied().unwrap_or(0)))
            .collect())
    }
}
