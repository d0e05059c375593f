//! The print house: watches the drop for batch folders, prints what is whole, and answers each item.
//!
//! Printing is a line in the journal. A batch is printed once by its name; the same item in another
//! batch is printed again, so that a mistake of the client shows.

mod ack;
mod batch;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::entry::{Entry, Printed};
use crate::world::{Answered, Batch, World};
use batch::{Item, Verdict};

/// Items made durable by one write.
const GROUP: usize = 100;

/// Where the house works.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// Batches appear here.
    pub(crate) drop: PathBuf,
    /// Answers are left here, one folder per batch.
    pub(crate) acks: PathBuf,
    /// How often the drop is looked at.
    pub(crate) every: Duration,
}

/// The print house at work.
pub(crate) struct PrintHouse {
    world: Arc<World>,
    folders: Folders,
    /// Held while paper moves, so that a reset never falls between printing and answering.
    floor: Mutex<Floor>,
}

#[derive(Default)]
struct Floor {
    /// Names in the drop at the last look: a known name that was absent and is back is a duplicate.
    present: HashSet<String>,
    /// Whether there was a look before; at the first one every known name is an old friend.
    looked: bool,
}

impl PrintHouse {
    /// Makes the folders when they are missing.
    ///
    /// # Errors
    /// When they cannot be made.
    pub(crate) fn new(world: Arc<World>, folders: Folders) -> Result<Self> {
        std::fs::create_dir_all(&folders.drop)?;
        std::fs::create_dir_all(&folders.acks)?;
        Ok(Self {
            world,
            folders,
            floor: Mutex::default(),
        })
    }

    /// Looks at the drop for as long as the process lives.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            if let Err(error) = self.look().await {
                eprintln!("letterbox-sandbox: print house: {error:#}");
            }
            sleep(self.folders.every).await;
        }
    }

    /// Forgets everything, but remembers the batches that still lie in the drop.
    ///
    /// # Errors
    /// When the drop cannot be read or the journal refuses.
    pub(crate) async fn reset(&self) -> Result<()> {
        let _floor = self.floor.lock().await;
        self.world.reset(batch::names(&self.folders.drop)?).await
    }

    async fn look(&self) -> Result<()> {
        if self.world.faults().print.closed {
            return Ok(());
        }
        let mut floor = self.floor.lock().await;
        let names = batch::names(&self.folders.drop)?;
        for name in &names {
            let known = self.world.state().batches.get(name).cloned();
            let back = floor.looked && !floor.present.contains(name);
            match known {
                Some(batch) if batch.refused || batch.acknowledged.is_some() => {
                    if back {
                        self.duplicate(name, &batch).await?;
                    }
                }
                known => self.work(name, known.unwrap_or_default()).await?,
            }
        }
        floor.present = names.into_iter().collect();
        floor.looked = true;
        Ok(())
    }

    /// Prints what this batch still lacks, then answers it.
    async fn work(&self, name: &str, batch: Batch) -> Result<()> {
        let folder = self.folders.drop.join(name);
        let read = read(folder, name.to_owned()).await;
        let (manifest_sha256, items) = match read {
            Ok(whole) => whole,
            Err(reason) => return self.refuse_batch(name, reason).await,
        };
        let fresh: Vec<_> = items
            .into_iter()
            .filter(|item| !is_answered(&batch, item))
            .collect();
        for group in fresh.chunks(GROUP) {
            let entries = group.iter().map(|item| self.verdict(name, item)).collect();
            self.world.record(entries).await?;
        }
        let (hold, delay_ms) = {
            let knobs = &self.world.faults().print;
            (knobs.hold_acks, knobs.answer_delay_ms)
        };
        if hold {
            return Ok(()); // everything is printed already; the next look comes straight back here
        }
        sleep(Duration::from_millis(delay_ms)).await;
        self.acknowledge(name, manifest_sha256).await
    }

    fn verdict(&self, batch: &str, item: &Item) -> Entry {
        let knobs = &self.world.faults().print.refuse;
        let unwanted = knobs
            .get(&item.letter_id)
            .or_else(|| knobs.get(&item.postcode));
        let reason = match &item.verdict {
            Verdict::Wrong(reason) => Some((*reason).to_owned()),
            Verdict::Good => unwanted.cloned(),
        };
        match reason {
            Some(reason) => Entry::PrintRefused {
                batch: batch.to_owned(),
                letter_id: item.letter_id.clone(),
                version: item.version,
                reason,
            },
            None => Entry::Printed(printed(batch, item)),
        }
    }

    async fn acknowledge(&self, name: &str, manifest_sha256: String) -> Result<()> {
        let answered = self
            .world
            .state()
            .batches
            .get(name)
            .cloned()
            .unwrap_or_default()
            .answered;
        let acks = self.folders.acks.clone();
        let (batch, sha) = (name.to_owned(), manifest_sha256.clone());
        let items = answered.clone();
        tokio::task::spawn_blocking(move || ack::write(&acks, &batch, &sha, &items)).await??;
        let rejected = answered.iter().filter(|a| a.refused.is_some()).count() as u64;
        let entry = Entry::BatchAcknowledged {
            batch: name.to_owned(),
            manifest_sha256,
            accepted: answered.len() as u64 - rejected,
            rejected,
        };
        self.world.record(vec![entry]).await
    }

    async fn refuse_batch(&self, name: &str, reason: String) -> Result<()> {
        ack::write_refusal(&self.folders.acks, name, &reason)?;
        let batch = name.to_owned();
        self.world
            .record(vec![Entry::BatchRefused { batch, reason }])
            .await
    }

    async fn duplicate(&self, name: &str, batch: &Batch) -> Result<()> {
        let manifest_sha256 = batch::manifest_sha256(&self.folders.drop.join(name));
        let same_manifest = batch.acknowledged.as_ref() == Some(&manifest_sha256);
        // A client that lost the answer may ask again by sending the very same batch.
        if same_manifest {
            ack::write(&self.folders.acks, name, &manifest_sha256, &batch.answered)?;
        }
        let entry = Entry::BatchDuplicate {
            batch: name.to_owned(),
            manifest_sha256,
            same_manifest,
        };
        self.world.record(vec![entry]).await
    }

    /// An envelope comes back: tells the client by the batch's status file.
    ///
    /// # Errors
    /// A sentence, when the item was never printed in that batch or the file cannot be written.
    pub(crate) async fn bring_back(
        &self,
        batch: &str,
        letter_id: &str,
        version: u64,
        reason: &str,
    ) -> Result<()> {
        let _floor = self.floor.lock().await;
        let known = self.world.state().batches.get(batch).cloned();
        let mut answered = known.iter().flat_map(|batch| &batch.answered);
        let wanted = |a: &Answered| a.letter_id == letter_id && a.version == version;
        if !answered.any(|a| wanted(a) && a.refused.is_none()) {
            anyhow::bail!("this item was not printed in this batch");
        }
        let entry = Entry::Returned {
            batch: batch.to_owned(),
            letter_id: letter_id.to_owned(),
            version,
            reason: reason.to_owned(),
        };
        self.world.record(vec![entry]).await?;
        ack::add_status(&self.folders.acks, batch, letter_id, version, reason)
    }
}

async fn read(folder: PathBuf, name: String) -> Result<(String, Vec<Item>), String> {
    let read = tokio::task::spawn_blocking(move || batch::read(Path::new(&folder), &name)).await;
    read.map_err(|error| error.to_string())?
}

fn is_answered(batch: &Batch, item: &Item) -> bool {
    let same = |a: &Answered| a.letter_id == item.letter_id && a.version == item.version;
    batch.answered.iter().any(same)
}

fn printed(batch: &str, item: &Item) -> Printed {
    Printed {
        batch: batch.to_owned(),
        letter_id: item.letter_id.clone(),
        version: item.version,
        sha256: item.sha256.clone(),
        pages: item.pages,
        postage: item.postage.clone(),
        format: item.format.clone(),
        address_lines: item.address_lines.clone(),
        postcode: item.postcode.clone(),
    }
}
