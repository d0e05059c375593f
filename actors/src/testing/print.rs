//! The hospital as a [`PrintStore`], and a print house that keeps its folders in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::{
    case::CaseEnd,
    dispatch::{Channel, DispatchState},
    event::{Event, EventKind},
    id::{BatchId, DispatchId},
    ladder::Subject,
};

use super::hospital::Hospital;
use super::state::{PrintBatch, State};
use crate::ports::{
    Ack, Batch, BatchItem, NodeId, PortError, PortResult, Postage, Press, PrintStore, Verdict,
};

/// How long one node may take to write a batch before another tries.
const LEASE: TimeDelta = TimeDelta::seconds(60);

#[async_trait]
impl PrintStore for Hospital {
    async fn next_cut_off(&self) -> PortResult<Option<TimeDelta>> {
        self.reach().await?;
        Ok(self.lock().cut_off.map(|at| at - self.now()))
    }

    async fn close_due_batches(&self, _: NodeId) -> PortResult<usize> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let mut closed = 0;
        while let Some(cut_off) = state.cut_off.filter(|at| *at <= now) {
            closed += usize::from(state.close_batch(cut_off));
            state.cut_off = Some(cut_off + TimeDelta::days(1));
        }
        Ok(closed)
    }

    async fn unfinished(&self, _: NodeId, limit: u16) -> PortResult<Vec<Batch>> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let free = |batch: &PrintBatch| {
            !batch.written && batch.lease_until.is_none_or(|until| until <= now)
        };
        let ids: Vec<_> = state
            .batches
            .iter()
            .filter(|(_, batch)| free(batch))
            .map(|(id, _)| *id)
            .collect();
        let mut batches = Vec::new();
        for id in ids.into_iter().take(usize::from(limit)) {
            if let Some(batch) = state.batches.get_mut(&id) {
                batch.lease_until = Some(now + LEASE);
            }
            batches.extend(state.as_batch(id));
        }
        Ok(batches)
    }

    async fn written(&self, batch: BatchId) -> PortResult<()> {
        self.reach().await?;
        if let Some(batch) = self.lock().batches.get_mut(&batch) {
            batch.written = true;
        }
        Ok(())
    }

    async fn acknowledge(&self, acks: Vec<Ack>) -> PortResult<Vec<Event>> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        Ok(acks
            .iter()
            .filter_map(|ack| state.acknowledge(now, ack))
            .collect())
    }
}

impl State {
    /// Freezes what is queued; what has been opened meanwhile is not printed.
    fn close_batch(&mut self, cut_off: DateTime<Utc>) -> bool {
        let mut items = Vec::new();
        for (id, dispatch) in &mut self.dispatches {
            if dispatch.channel != Channel::Post || dispatch.state != DispatchState::Queued {
                continue;
            }
            let case = self.cases.get(&dispatch.case);
            let wanted =
                case.is_some_and(|case| case.end.is_none() && case.subject == Subject::Unread);
            dispatch.state = if wanted {
                DispatchState::Accepted
            } else {
                DispatchState::Cancelled
            };
            if wanted {
                items.push(*id);
            }
        }
        if items.is_empty() {
            return false;
        }
        let name = format!("LB_{}", cut_off.format("%Y%m%dT%H%M%S"));
        let batch = PrintBatch {
            name,
            items,
            written: false,
            lease_until: None,
            verdicts: BTreeMap::new(),
        };
        self.batches.insert(BatchId::random(), batch);
        true
    }

    fn as_batch(&self, id: BatchId) -> Option<Batch> {
        let batch = self.batches.get(&id)?;
        let items = batch
            .items
            .iter()
            .filter_map(|item| self.as_item(*item))
            .collect();
        Some(Batch {
            id,
            name: batch.name.clone(),
            items,
        })
    }

    fn as_item(&self, dispatch: DispatchId) -> Option<BatchItem> {
        let case = self.cases.get(&self.dispatches.get(&dispatch)?.case)?;
        Some(BatchItem {
            dispatch,
            subject: case.letter.as_uuid(),
            version: 1,
            pdf: Bytes::from_static(b"%PDF-1.7"),
            sha256: [0; 32],
            pages: 1,
            address_lines: vec!["1 Example Street".to_owned()],
            postage: Postage::Second,
            format: "standard".to_owned(),
        })
    }

    /// The first verdict counts; a repeat changes nothing.
    fn acknowledge(&mut self, now: DateTime<Utc>, ack: &Ack) -> Option<Event> {
        let case = self
            .cases
            .iter()
            .find(|(_, case)| case.letter.as_uuid() == ack.item)
            .map(|(id, _)| *id)?;
        let batch = self
            .batches
            .values_mut()
            .find(|batch| batch.name == ack.batch_name)?;
        let dispatch = batch.items.iter().copied().find(|id| {
            self.dispatches
                .get(id)
                .is_some_and(|each| each.case == case)
        })?;
        if batch
            .verdicts
            .insert(dispatch, ack.verdict.clone())
            .is_some()
        {
            return None;
        }
        if ack.verdict != Verdict::Posted {
            self.tasks += 1;
            return None;
        }
        let (patient, letter) = self
            .cases
            .get(&case)
            .map(|case| (case.patient, case.letter))?;
        self.end(case, CaseEnd::Posted);
        Some(self.happened(now, patient, letter, EventKind::LetterPosted))
    }
}

/// A print house. Folders appear whole; a second write of one is compared with the first.
#[derive(Default)]
pub struct MemoryPress {
    state: Mutex<House>,
    broken: AtomicBool,
}

#[derive(Default)]
struct House {
    folders: BTreeMap<String, Vec<uuid::Uuid>>,
    writes: usize,
    acks: Vec<Ack>,
    forgotten: BTreeSet<String>,
}

impl MemoryPress {
    /// Folders with the items in them.
    #[must_use]
    pub fn folders(&self) -> BTreeMap<String, Vec<uuid::Uuid>> {
        self.state().folders.clone()
    }

    /// The print house says of every item of every folder that it has left.
    pub fn post_everything(&self) {
        let mut house = self.state();
        let House { folders, acks, .. } = &mut *house;
        for (name, items) in folders {
            let posted = |item: &uuid::Uuid| Ack {
                batch_name: name.clone(),
                item: *item,
                verdict: Verdict::Posted,
            };
            acks.extend(items.iter().map(posted));
        }
    }

    /// Every write fails until it is mended.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    #[must_use]
    pub fn has_forgotten(&self, batch_name: &str) -> bool {
        self.state().forgotten.contains(batch_name)
    }

    fn state(&self) -> MutexGuard<'_, House> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Press for MemoryPress {
    async fn write(&self, batch: &Batch) -> PortResult<()> {
        if self.broken.load(Ordering::Acquire) {
            return Err(PortError::unavailable(
                "the print house's folder cannot be written",
            ));
        }
        let items: Vec<_> = batch.items.iter().map(|item| item.subject).collect();
        let mut house = self.state();
        house.writes += 1;
        let folder = house
            .folders
            .entry(batch.name.clone())
            .or_insert_with(|| items.clone());
        assert_eq!(*folder, items, "a batch changed between two writes");
        Ok(())
    }

    async fn acks(&self) -> PortResult<Vec<Ack>> {
        Ok(self.state().acks.clone())
    }

    async fn forget(&self, batch_name: &str) -> PortResult<()> {
        let mut house = self.state();
        house.acks.retain(|ack| ack.batch_name != batch_name);
        house.forgotten.insert(batch_name.to_owned());
        Ok(())
    }
}
