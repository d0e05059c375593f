//! The sweeps that the caretaker wakes, each with its hour in UTC. All are idempotent; a missed one costs minutes.

use std::sync::Arc;

use letterbox_actors::ports::Chore;

use crate::store::Store;
use crate::store::ladder::LadderStore;

/// Every sweep of a node.
pub(super) fn all(_store: &Store, _ladder: &Arc<LadderStore>) -> Vec<Arc<dyn Chore>> {
    Vec::new()
}
