//! The hospital as a [`DispatchStore`]: one attempt at a time, each fencing the one before.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use letterbox_domain::dispatch::{Channel, DispatchState, Outcome};

use super::hospital::Hospital;
use super::state::Dispatch;
use crate::ports::{ClaimedDispatch, DispatchStore, NodeId, Outgoing, PortResult};

/// How long an unknown outcome rests before the provider is asked.
const ASK_AFTER: TimeDelta = TimeDelta::seconds(30);

#[async_trait]
impl DispatchStore for Hospital {
    async fn next_due(&self, channel: Channel) -> PortResult<Option<TimeDelta>> {
        self.reach().await?;
        let now = self.now();
        let state = self.lock();
        let open = state
            .dispatches
            .values()
            .filter(|each| each.channel == channel && each.is_open());
        Ok(open
            .map(|each| each.lease_until.unwrap_or(each.due_at).max(each.due_at) - now)
            .min())
    }

    async fn claim(
        &self,
        _: NodeId,
        channel: Channel,
        limit: u16,
        lease: TimeDelta,
    ) -> PortResult<Vec<ClaimedDispatch>> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let mut due: Vec<_> = state
            .dispatches
            .iter_mut()
            .filter(|(_, each)| each.can_be_claimed(channel, now))
            .collect();
        due.sort_by_key(|(_, each)| each.due_at);
        let claimed = due.into_iter().take(usize::from(limit)).map(|(id, each)| {
            let unknown_before = each.state == DispatchState::Unknown || each.sent;
            each.attempt += 1;
            (each.state, each.sent, each.lease_until) =
                (DispatchState::Claimed, false, Some(now + lease));
            let (to, subject, body) = (
                String::from("07700 900123"),
                String::new(),
                String::from("Sign in."),
            );
            let outgoing = Outgoing {
                key: *id,
                to,
                subject,
                body,
            };
            ClaimedDispatch {
                id: *id,
                attempt: each.attempt,
                channel,
                outgoing,
                unknown_before,
            }
        });
        Ok(claimed.collect())
    }

    async fn still_wanted(&self, claimed: &ClaimedDispatch) -> PortResult<bool> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let Some(each) = state.dispatches.get(&claimed.id) else {
            return Ok(false);
        };
        let held = each.is_held_by(claimed) && each.lease_until.is_some_and(|until| until > now);
        let open = state
            .cases
            .get(&each.case)
            .is_some_and(|case| case.end.is_none());
        let Some(each) = state.dispatches.get_mut(&claimed.id) else {
            return Ok(false);
        };
        if held && !open {
            (each.state, each.lease_until) = (DispatchState::Cancelled, None);
        }
        each.sent |= held && open;
        Ok(held && open)
    }

    async fn record(&self, claimed: &ClaimedDispatch, outcome: Outcome) -> PortResult<bool> {
        self.reach().await?;
        let now = self.now();
        let mut state = self.lock();
        let Some(each) = state.dispatches.get_mut(&claimed.id) else {
            return Ok(false);
        };
        if !each.is_held_by(claimed) {
            return Ok(false);
        }
        (each.state, each.lease_until, each.sent) = (outcome.state(), None, false);
        match outcome {
            Outcome::Later { after } => {
                each.due_at = now + TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX)
            }
            Outcome::Unknown => each.due_at = now + ASK_AFTER,
            Outcome::Rejected { .. } => {
                let case = each.case;
                if let Some(case) = state.cases.get_mut(&case) {
                    case.due_at = case.due_at.min(now);
                }
            }
            Outcome::Accepted { .. } => {}
        }
        Ok(true)
    }
}

impl Dispatch {
    fn is_open(&self) -> bool {
        matches!(
            self.state,
            DispatchState::Queued | DispatchState::Claimed | DispatchState::Unknown
        )
    }

    fn is_held_by(&self, claimed: &ClaimedDispatch) -> bool {
        self.state == DispatchState::Claimed && self.attempt == claimed.attempt
    }

    fn can_be_claimed(&self, channel: Channel, now: DateTime<Utc>) -> bool {
        let free = self.lease_until.is_none_or(|until| until <= now);
        self.channel == channel && self.is_open() && self.due_at <= now && free
    }
}
