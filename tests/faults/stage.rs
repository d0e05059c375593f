//! The usual beginning: an installation, one running server, and a hospital that has met it.

use std::time::{Duration, Instant};

use letterbox_domain::policy::Policy;
use letterbox_domain::time::Wait;
use uuid::Uuid;

use crate::rig::hospital::{Answer, Hospital};
use crate::rig::node::{Extra, Node};
use crate::rig::world::{Wanted, World, hurried};
use crate::rig::{seconds, until};

/// Between two tries of one letter.
const AGAIN: Duration = Duration::from_millis(50);

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) node: Node,
    pub(crate) hospital: Hospital,
}

impl Stage {
    /// On a database of the shared cluster.
    pub(crate) async fn set(wanted: &Wanted, settings: Extra<'_>) -> Self {
        Self::on(World::shared(wanted).await, settings).await
    }

    /// On a cluster that may be hurt.
    pub(crate) async fn set_on_own_postgres(
        wanted: &Wanted,
        postgres: &str,
        settings: Extra<'_>,
    ) -> Self {
        Self::on(World::own(wanted, postgres).await, settings).await
    }

    async fn on(world: World, settings: Extra<'_>) -> Self {
        let node = world.running("node-a", settings).await;
        let hospital = Hospital::meet(&node, &world.cast.api_key).await;
        Self {
            world,
            node,
            hospital,
        }
    }

    /// Ends the server and starts it again with a trap or anything else in its environment.
    pub(crate) async fn restart(&self, extra: Extra<'_>) {
        self.node.kill_if_running().await;
        self.node.start(extra).await;
    }

    /// Publishes a letter to the first patient, once, where nothing is in the way.
    pub(crate) async fn publish(&self, source_id: &str) -> Uuid {
        let form = self.hospital.letter(source_id, self.world.patient(0));
        let answer = self
            .hospital
            .publish(&self.node, &form)
            .await
            .expect("the server answers");
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.letter_id()
    }

    /// Sends a letter again and again until it is acknowledged.
    pub(crate) async fn until_published(
        &self,
        node: &Node,
        source_id: &str,
        patient: usize,
    ) -> Answer {
        let form = self.hospital.letter(source_id, self.world.patient(patient));
        let end = Instant::now() + seconds(60);
        while Instant::now() < end {
            if let Ok(answer) = self.hospital.publish(node, &form).await
                && answer.is_published()
            {
                return answer;
            }
            tokio::time::sleep(AGAIN).await;
        }
        panic!("{source_id} is never acknowledged");
    }

    /// Waits for a letter's state, as the hospital sees it.
    pub(crate) async fn until_state(&self, source_id: &str, field: &str) {
        until(
            &format!("{source_id} has {field}"),
            seconds(60),
            async || {
                let answer = self.hospital.ask(&self.node, source_id).await;
                answer.is_ok_and(|answer| !answer.body[field].is_null())
            },
        )
        .await;
    }

    /// Waits until something has happened outside so often.
    pub(crate) async fn until_outside(&self, kind: &str, times: usize) {
        until(&format!("{kind} {times} times"), seconds(60), async || {
            self.world.outside.happened(kind).len() >= times
        })
        .await;
    }
}

/// A nudge after a second, and nothing else while the test lasts.
pub(crate) fn one_nudge() -> Policy {
    Policy {
        text_after: Wait::hours(24),
        deadline_appointment: Wait::hours(48),
        deadline_clinic: Wait::hours(48),
        ..hurried()
    }
}

/// Short leases and polls, so that what a dead server held is soon another's.
pub(crate) const SHORT_LEASES: Extra<'static> = &[
    ("deadline.lease", "3s"),
    ("deadline.poll", "200ms"),
    ("dispatch.lease", "3s"),
    ("dispatch.poll", "200ms"),
    ("dispatch.timeout", "1s"),
];

/// Leases that only the database's clock ends, when a test moves it.
pub(crate) const LONG_LEASES: Extra<'static> = &[
    ("deadline.lease", "60s"),
    ("deadline.poll", "200ms"),
    ("dispatch.lease", "60s"),
    ("dispatch.poll", "200ms"),
    ("dispatch.timeout", "1s"),
];
