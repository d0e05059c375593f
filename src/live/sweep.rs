//! Once a second: turns the wheel, and closes the sockets of sessions that have ended here or on another node.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use letterbox_domain::id::SessionId;

use super::close::Ending;
use super::gate::Gate;
use super::{Live, measures};

const EVERY: Duration = Duration::from_secs(1);
/// How far back ended sessions are asked for. A commit may become visible a little after its own time says.
const LOOK_BACK: Duration = Duration::from_secs(15);

/// Two loops, because the wheel must turn while the database does not answer. Both end with the live side.
pub(super) fn start(live: &Arc<Live>) {
    let (turning, asking) = (Arc::downgrade(live), Arc::downgrade(live));
    actix_rt::spawn(turn(turning));
    actix_rt::spawn(ask(asking));
}

async fn turn(live: Weak<Live>) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let Some(live) = live.upgrade() else { return };
        metrics::gauge!(measures::SOCKETS).set(live.sockets() as f64);
        metrics::gauge!(measures::SOCKET_LIMIT).set(live.admission.limit() as f64);
        metrics::gauge!(measures::SESSIONS).set(live.sessions() as f64);
        let run_out = live.wheel.turn();
        if !run_out.is_empty() {
            actix_rt::spawn(extend_or_end(Arc::clone(&live), run_out));
        }
    }
}

/// Sessions whose time has run out as far as this node knows: a page may have been used meanwhile.
async fn extend_or_end(live: Arc<Live>, run_out: Vec<Arc<Gate>>) {
    let sessions: Vec<SessionId> = run_out
        .iter()
        .filter_map(|gate| gate.holder())
        .map(|holder| holder.session)
        .collect();
    let left: HashMap<SessionId, Duration> =
        match live.store.sessions_left(&sessions, &live.idle).await {
            Ok(left) => left.into_iter().collect(),
            Err(error) => {
                // The wheel asks again in two seconds.
                tracing::warn!(%error, sessions = sessions.len(), "live.sessions_not_checked");
                return;
            }
        };
    for gate in run_out {
        let Some(holder) = gate.holder() else {
            continue;
        };
        match left.get(&holder.session) {
            Some(left) => {
                let expires_at = live.wheel.after(*left).max(live.wheel.now() + 1);
                gate.with_times(|times| times.expires_at = expires_at);
            }
            None => gate.close(Ending::SignIn),
        }
    }
}

async fn ask(live: Weak<Live>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let Some(live) = live.upgrade() else { return };
        if live.sessions() == 0 {
            continue;
        }
        match live.store.sessions_ended_within(LOOK_BACK).await {
            Ok(ended) => {
                for (account, session) in ended {
                    live.end_session(account, session);
                }
            }
            Err(error) => tracing::debug!(%error, "live.ended_sessions_unknown"),
        }
    }
}
