//! The directory's round: compares everybody's position with the store and acts on the difference.

use std::{sync::Arc, time::Duration};

use letterbox_domain::id::{PatientId, Seq};

use super::Directory;
use crate::{
    ports::{Head, PortResult},
    rounds::{Job, Rest, patiently},
};

/// The job of the directory's actor.
pub(crate) struct Heads {
    pub(crate) directory: Arc<Directory>,
}

/// A mailbox and the position its actor had before the query began.
type Sample = (PatientId, Option<Seq>);

impl Job for Heads {
    fn name(&self) -> String {
        "directory".to_owned()
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        let started = self.directory.around.clock.uptime();
        self.compare_all(started).await?;
        self.directory.retire_the_idle();
        let took = self.directory.around.clock.uptime().saturating_sub(started);
        metrics::histogram!(crate::measures::HEADS_SECONDS).record(took.as_secs_f64());
        Ok(Rest(
            self.directory
                .around
                .settings
                .heads_every
                .saturating_sub(took),
        ))
    }
}

impl Heads {
    async fn compare_all(&self, started: Duration) -> PortResult<()> {
        let around = &self.directory.around;
        let (reader, settings) = (&around.reader, &around.settings);
        let samples = self.directory.samples();
        let mut began = None;
        for chunk in chunks(&samples, settings.heads_chunk) {
            let ids: Vec<PatientId> = chunk.iter().map(|(patient, _)| *patient).collect();
            let answer =
                patiently(settings.read_patience, reader.heads(settings.node, &ids)).await?;
            began.get_or_insert(answer.began);
            self.directory.act_on(chunk, &answer.heads);
        }
        around.lease.renew(started);
        match began {
            Some(began) => {
                patiently(settings.read_patience, reader.polled(settings.node, began)).await
            }
            None => Ok(()),
        }
    }
}

/// At least one, so that a node without sessions shows a heartbeat too.
fn chunks(samples: &[Sample], most: usize) -> impl Iterator<Item = &[Sample]> {
    let empty = samples.is_empty().then_some(samples);
    samples.chunks(most.max(1)).chain(empty)
}

impl Directory {
    fn samples(&self) -> Vec<Sample> {
        self.collect(|patient, entry| Some((*patient, entry.shelf.head())))
    }

    fn act_on(&self, samples: &[Sample], heads: &[Head]) {
        let before: std::collections::HashMap<_, _> = samples.iter().copied().collect();
        for head in heads {
            match before.get(&head.patient).copied().flatten() {
                // What memory held before the query began was committed, so the store must have it.
                Some(position) if head.seq < position => self.start_over(head.patient),
                _ => self.hint(head),
            }
        }
    }

    /// Leaves the store's position on the shelf and wakes the actor if it is behind.
    fn hint(&self, head: &Head) {
        let shard = self.shard(head.patient);
        let Some(entry) = shard.get(&head.patient) else {
            return;
        };
        entry.shelf.want_head(head.seq);
        entry.shelf.want_grants(head.grants_version);
        if entry.shelf.is_behind() {
            self.refresh(entry);
        }
    }
}
