//! Keeps one node running while it is being killed: each start sets another trap.

use std::sync::Arc;
use std::time::Duration;

use crate::plan::{Plan, Window};
use crate::rig::node::{Extra, Node};
use crate::rig::until;
use crate::tally::{RANDOM, Tally};

/// A trap that nobody has stepped into by then is given up, and the node killed by hand.
const TRAP: Duration = Duration::from_secs(12);
/// An end is noticed at once; this bounds only a machine that stands still.
const GONE: Duration = Duration::from_secs(60);

/// Starts `node` with one trap after the other until every window has had enough; leaves it dead.
pub(crate) async fn kill_in_all_windows(
    node: Arc<Node>,
    plan: Plan,
    tally: Arc<Tally>,
    always: Vec<(String, String)>,
) {
    while let Some(window) = tally.neediest(plan.kills_per_window) {
        let point = format!("{}:{}", window.point, rand::random_range(1..=window.latest));
        start(&node, &always, Some(&point)).await;
        watch(&node, window, &plan, &tally).await;
    }
    node.kill_if_running().await;
}

/// Waits for the node to step into its trap; when another node was quicker, or nobody comes by, kills it anyhow.
async fn watch(node: &Node, window: Window, plan: &Plan, tally: &Tally) {
    let enough = || tally.of(window.title) >= plan.kills_per_window;
    crate::rig::comes(TRAP, async || node.ended().is_some() || enough()).await;
    if node.ended().is_some() {
        assert!(
            node.was_killed(),
            "{} ended by itself; the end of its log:\n{}",
            node.name,
            node.log_end()
        );
        tally.add(window.title);
    } else {
        node.kill().await;
        tally.add(RANDOM);
    }
}

/// Starts a node; one that is killed while it starts is started again by whoever calls next.
pub(crate) async fn start(node: &Node, always: &[(String, String)], point: Option<&str>) {
    let mut extra: Vec<(&str, &str)> = always
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    extra.extend(point.map(|point| ("LETTERBOX_CRASH_POINT", point)));
    launch(node, &extra).await;
}

async fn launch(node: &Node, extra: Extra<'_>) {
    node.launch(node.command(extra));
    until("a node is ready or dead", GONE, async || {
        node.is_ready().await || node.ended().is_some()
    })
    .await;
}
