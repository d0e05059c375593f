//! The store's side of the ladder: one value that fulfils the living system's ports for cases, messages and print.
//!
//! It finds, locks and writes rows. What is to be done is decided by the domain; nothing here calls a provider.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use letterbox_actors::ports::NodeId;
use letterbox_domain::{policy::Policy, time::Calendars};
use uuid::Uuid;

use super::print::CLOSE_ITEMS;
use super::{Principal, Store, StoreError, Tx, policies};
use crate::config::{DispatchSettings, Mode, PostSettings};

/// The words under which messages go out.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The service's name as patients know it.
    pub service: String,
    /// The portal's one public address, for emails only; texts never carry a link.
    pub portal: Option<String>,
}

/// A page to be put into an envelope, made by us.
#[derive(Debug)]
pub struct NoticeFile {
    /// The whole file.
    pub pdf: Vec<u8>,
    /// How many pages it has.
    pub pages: i32,
}

/// What a paper notice of an appointment says. No `Debug`: all of it is about one person.
#[derive(Clone)]
pub struct NoticeFacts {
    /// The trust's name.
    pub trust: String,
    /// Clinic or department.
    pub clinic: String,
    /// Who answers questions.
    pub phone: String,
    /// When they do.
    pub hours: Option<String>,
    /// The patient's name.
    pub name: String,
    /// The address without the name.
    pub address_lines: Vec<String>,
    /// Set in large print.
    pub large_print: bool,
    /// The day on which the batch closed.
    pub dated: DateTime<Utc>,
    /// What has happened.
    pub change: NoticeChange,
    /// When the appointment is, or would have been.
    pub starts_at: DateTime<Utc>,
    /// Where.
    pub location: String,
    /// What to do or bring.
    pub instructions: Option<String>,
}

/// What has happened to an appointment, as its paper says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeChange {
    /// It is new.
    Booked,
    /// Another date, time or place.
    Moved,
    /// It will not take place.
    Cancelled,
}

/// Makes the paper notice of an appointment; same facts, same bytes. Called in a transaction, so it must be quick.
pub trait NoticePdf: Send + Sync + 'static {
    /// The file.
    ///
    /// # Errors
    /// Why none came out, without anything personal; the item then becomes a task.
    fn make(&self, facts: &NoticeFacts) -> Result<NoticeFile, String>;
}

/// What an operator may set of messages and print.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Waits between tries of a message that its provider put off; after the last it is given up.
    pub(super) retry_after: Vec<TimeDelta>,
    /// Letters in one print batch.
    pub(super) batch_items: usize,
}

impl Bounds {
    /// As the settings say; a batch holds 1 to `CLOSE_ITEMS` letters.
    #[must_use]
    pub fn new(dispatch: &DispatchSettings, post: &PostSettings) -> Self {
        let waits = dispatch.retry_after.iter();
        let most = usize::try_from(CLOSE_ITEMS).unwrap_or(usize::MAX);
        Self {
            retry_after: waits
                .filter_map(|wait| TimeDelta::from_std(*wait).ok())
                .collect(),
            batch_items: post.max_batch_letters.clamp(1, most),
        }
    }
}

/// For a day, and envelopes that one person can carry.
impl Default for Bounds {
    fn default() -> Self {
        let minutes = [1, 5, 15, 60, 180, 360, 780];
        Self {
            retry_after: minutes.into_iter().map(TimeDelta::minutes).collect(),
            batch_items: 250,
        }
    }
}

/// Trust and version: a policy never changes under its key.
pub(super) type PolicyKey = (Uuid, i32);

/// Cases, messages and print on PostgreSQL.
#[derive(Clone)]
pub struct LadderStore {
    /// Connections kept for deadlines.
    pub(super) store: Store,
    /// Connections for what people and providers do.
    pub(super) web: Store,
    pub(super) sender: Arc<Sender>,
    pub(super) notices: Arc<dyn NoticePdf>,
    pub(super) calendars: Arc<Calendars>,
    pub(super) bounds: Arc<Bounds>,
    /// False only in the deliberate counter-test; see [`LadderStore::without_fencing`].
    pub(super) fenced: bool,
}

impl LadderStore {
    /// Deadlines use the connections that are kept for them.
    #[must_use]
    pub fn new(store: &Store, sender: Sender, notices: Arc<dyn NoticePdf>) -> Self {
        Self {
            store: store.scheduler(),
            web: store.clone(),
            sender: Arc::new(sender),
            notices,
            calendars: Arc::new(Calendars::built_in()),
            bounds: Arc::default(),
            fenced: store.mode() != Mode::Test || fenced_by_environment(),
        }
    }

    /// The same within the bounds that the settings set.
    #[must_use]
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = Arc::new(bounds);
        self
    }

    /// A case's policy.
    pub(super) async fn policy(&self, tx: &Tx, key: PolicyKey) -> Result<Arc<Policy>, StoreError> {
        policies::get(tx, key.0.into(), key.1).await
    }

    /// Several cases' policies.
    pub(super) async fn policies_of(
        &self,
        tx: &Tx,
        keys: impl Iterator<Item = PolicyKey>,
    ) -> Result<HashMap<PolicyKey, Arc<Policy>>, StoreError> {
        let mut found = HashMap::new();
        for key in keys {
            if let Entry::Vacant(place) = found.entry(key) {
                place.insert(self.policy(tx, key).await?);
            }
        }
        Ok(found)
    }

    /// The same with its fencing checks removed, to show that the tests notice: never for real letters.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn without_fencing(mut self) -> Self {
        self.fenced = false;
        self
    }
}

impl std::fmt::Debug for LadderStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LadderStore")
            .field("fenced", &self.fenced)
            .finish_non_exhaustive()
    }
}

/// `LETTERBOX_TEST_UNFENCED=1` removes the fencing checks from a debug build in mode `test`, for the crash harness's counter-test.
#[cfg(debug_assertions)]
fn fenced_by_environment() -> bool {
    std::env::var_os("LETTERBOX_TEST_UNFENCED").is_none_or(|value| value != "1")
}

#[cfg(not(debug_assertions))]
const fn fenced_by_environment() -> bool {
    true
}

/// Who acts when a node works by itself.
pub(super) fn acting(node: NodeId) -> Principal {
    Principal::Node { node: node.0 }
}

/// Who acts where the port does not say which node asks.
pub(super) const fn housekeeping() -> Principal {
    Principal::SERVER
}
