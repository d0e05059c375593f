//! The sweeps that the caretaker wakes, each with its hour in UTC. All are idempotent; a missed one costs minutes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use letterbox_actors::ports::{Chore, NodeId, PortError, PortResult};

use crate::commands::release_letters::release_due_letters;
use crate::commands::{Bells, CommandError};
use crate::store::ladder::LadderStore;
use crate::store::{Principal, Store};

/// Letters released in one go; what is left follows with the next.
const RELEASES: i64 = 100;

type Work = Box<dyn Fn() -> Pin<Box<dyn Future<Output = PortResult<u64>> + Send>> + Send + Sync>;

/// A named sweep.
struct Sweep {
    name: &'static str,
    schedule: &'static str,
    work: Work,
}

#[async_trait]
impl Chore for Sweep {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schedule(&self) -> &str {
        self.schedule
    }

    async fn run(&self) -> PortResult<u64> {
        (self.work)().await
    }
}

fn sweep<F>(
    name: &'static str,
    schedule: &'static str,
    work: impl Fn() -> F + Send + Sync + 'static,
) -> Arc<dyn Chore>
where
    F: Future<Output = PortResult<u64>> + Send + 'static,
{
    Arc::new(Sweep {
        name,
        schedule,
        work: Box::new(move || Box::pin(work())),
    })
}

/// Every sweep of a node.
pub(super) fn all(
    store: &Store,
    ladder: &LadderStore,
    bells: &Arc<dyn Bells>,
    node: NodeId,
) -> Vec<Arc<dyn Chore>> {
    let (store, bells) = (store.scheduler(), Arc::clone(bells));
    let released = store.clone();
    let releasing = sweep("letters.release", "* * * * * *", move || {
        release(released.clone(), Arc::clone(&bells), node)
    });
    let mut chores = ladder.chores();
    chores.push(releasing);
    chores.extend(people(&store));
    chores
}

/// Patients' and their circles': reminders, emails to carers, the yearly question, and what is forgotten.
fn people(store: &Store) -> [Arc<dyn Chore>; 4] {
    let [telling, asking, forgetting, reminding] = std::array::from_fn(|_| store.clone());
    [
        sweep("reminders.queue", "35 * * * * *", move || {
            let store = reminding.clone();
            async move { Ok(store.remind().await?) }
        }),
        sweep("carers.tell", "*/10 * * * * *", move || {
            let store = telling.clone();
            async move { Ok(store.tell_carers().await?) }
        }),
        sweep("grants.reading", "0 5 6 * * *", move || {
            let store = asking.clone();
            async move { Ok(store.review_reading().await?) }
        }),
        sweep("invitations.sweep", "0 25 3 * * *", move || {
            let store = forgetting.clone();
            async move { Ok(store.forget_invitations().await?) }
        }),
    ]
}

/// Letters that were held until now are published; their deadlines run from now.
async fn release(store: Store, bells: Arc<dyn Bells>, node: NodeId) -> PortResult<u64> {
    let released = release_due_letters(&store, &Principal::Node { node: node.0 }, RELEASES).await;
    let (count, wake) = released.map_err(|error| match error {
        CommandError::Store(error) => PortError::from(error),
        refused @ CommandError::Refused(_) => PortError::unavailable(refused),
    })?;
    bells.ring(wake);
    Ok(count as u64)
}
