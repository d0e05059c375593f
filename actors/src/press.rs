//! The print room: closes batches at their cut-off, writes closed ones as folders, reads acknowledgements.
//!
//! Everything it does may be done twice: a batch is frozen once by the store, written under the same name with
//! the same content, and acknowledged as often as the print house says so.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    measures,
    ports::{Ack, Batch, PortError, PortResult, Press, PrintStore},
    rounds::{Job, Rest, patiently},
    supervisor::until,
    system::Wires,
};

/// Acknowledgements stored in one transaction; bounds its locks.
const ACKS_AT_ONCE: usize = 500;

/// The job of the print room's actor.
pub(crate) struct PrintRoom {
    pub(crate) store: Arc<dyn PrintStore>,
    pub(crate) press: Arc<dyn Press>,
    pub(crate) wires: Arc<Wires>,
}

impl Job for PrintRoom {
    fn name(&self) -> String {
        "press".to_owned()
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        let settings = &self.wires.settings;
        // Reading comes first: what the print house says is true whether or not a batch can be written.
        self.read_acks().await?;
        if !self.wires.is_stopping() {
            let closed = patiently(
                settings.port_patience,
                self.store.close_due_batches(settings.node),
            )
            .await?;
            metrics::counter!(measures::BATCHES, "step" => "closed").increment(closed as u64);
            self.write_unfinished().await?;
        }
        let due = patiently(settings.port_patience, self.store.next_cut_off()).await?;
        Ok(Rest(until(due, settings.press_poll)))
    }
}

impl PrintRoom {
    /// One batch that cannot be written does not hold up the others.
    async fn write_unfinished(&self) -> PortResult<()> {
        let settings = &self.wires.settings;
        let mut failed = None;
        while !self.wires.is_stopping() {
            let unfinished = self.store.unfinished(settings.node, settings.press_batch);
            let batches = patiently(settings.port_patience, unfinished).await?;
            let more = batches.len() == usize::from(settings.press_batch);
            for batch in &batches {
                if let Err(error) = self.write(batch).await {
                    failed = Some(error);
                }
            }
            if !more {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn write(&self, batch: &Batch) -> PortResult<()> {
        let patience = self.wires.settings.port_patience;
        patiently(patience, self.press.write(batch)).await?;
        patiently(patience, self.store.written(batch.id)).await?;
        metrics::counter!(measures::BATCHES, "step" => "written").increment(1);
        tracing::info!(batch = %batch.name, items = batch.items.len(), "batch.written");
        Ok(())
    }

    async fn read_acks(&self) -> PortResult<()> {
        let acks = patiently(self.wires.settings.port_patience, self.press.acks()).await?;
        let mut by_batch: BTreeMap<String, Vec<Ack>> = BTreeMap::new();
        for ack in acks {
            by_batch
                .entry(ack.batch_name.clone())
                .or_default()
                .push(ack);
        }
        let mut failed: Option<PortError> = None;
        for (name, acks) in by_batch {
            if let Err(error) = self.acknowledge(&name, acks).await {
                failed = Some(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Forgotten only once all of it is in the store.
    async fn acknowledge(&self, batch_name: &str, acks: Vec<Ack>) -> PortResult<()> {
        let patience = self.wires.settings.port_patience;
        for some in acks.chunks(ACKS_AT_ONCE) {
            let events = patiently(patience, self.store.acknowledge(some.to_vec())).await?;
            self.wires.ring(&events);
        }
        patiently(patience, self.press.forget(batch_name)).await?;
        metrics::counter!(measures::BATCHES, "step" => "acknowledged").increment(1);
        tracing::info!(batch = %batch_name, items = acks.len(), "batch.acknowledged");
        Ok(())
    }
}
