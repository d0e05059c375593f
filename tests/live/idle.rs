//! Stores in which nothing is ever due: these tests are about sockets.

use chrono::TimeDelta;
use letterbox_actors::ports::{
    CaseStore, ClaimedCase, ClaimedCases, ClaimedDispatch, CommitReport, DispatchStore, NodeId,
    PortError, PortResult,
};
use letterbox_domain::dispatch::{Channel, Outcome};
use letterbox_domain::id::TrustId;
use letterbox_domain::ladder::Decision;

/// A hospital in which no deadline ever comes: the ladder has tests of its own.
pub(crate) struct NothingDue;

#[async_trait::async_trait]
impl CaseStore for NothingDue {
    async fn next_due(&self, _: TrustId) -> PortResult<Option<TimeDelta>> {
        Ok(None)
    }

    async fn claim_overdue(
        &self,
        _: NodeId,
        _: TrustId,
        _: u16,
        _: TimeDelta,
    ) -> PortResult<ClaimedCases> {
        Err(PortError::unavailable("nothing is ever due here"))
    }

    async fn commit(&self, _: NodeId, _: Vec<(ClaimedCase, Decision)>) -> PortResult<CommitReport> {
        Ok(CommitReport::default())
    }

    async fn trusts(&self) -> PortResult<Vec<TrustId>> {
        Ok(Vec::new())
    }
}

#[async_trait::async_trait]
impl DispatchStore for NothingDue {
    async fn next_due(&self, _: Channel) -> PortResult<Option<TimeDelta>> {
        Ok(None)
    }

    async fn claim(
        &self,
        _: NodeId,
        _: Channel,
        _: u16,
        _: TimeDelta,
    ) -> PortResult<Vec<ClaimedDispatch>> {
        Ok(Vec::new())
    }

    async fn still_wanted(&self, _: &ClaimedDispatch) -> PortResult<bool> {
        Ok(false)
    }

    async fn record(&self, _: &ClaimedDispatch, _: Outcome) -> PortResult<bool> {
        Ok(false)
    }
}
