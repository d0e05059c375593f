//! One open transaction. It ends by [`Tx::commit`]; dropped in any other way it is rolled back.
//! Never outlives its connection's turn: the rollback is sent before the pool sees the connection again.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use deadpool_postgres::{ClientWrapper, Object};
use futures_util::FutureExt;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};

use super::{Pools, StoreError, policies};

/// A parameter list as the driver takes it.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

const OPEN: u8 = 0;
const FAILED: u8 = 1;
const ENDED: u8 = 2;

/// A cheap handle on one transaction; clones share it.
#[derive(Clone)]
pub struct Tx(Arc<Inner>);

struct Inner {
    connection: Object,
    state: AtomicU8,
    pools: Arc<Pools>,
}

impl Tx {
    pub(super) fn new(connection: Object, pools: Arc<Pools>) -> Self {
        Self(Arc::new(Inner {
            connection,
            state: AtomicU8::new(OPEN),
            pools,
        }))
    }

    /// Rows of a statement, prepared once per connection.
    ///
    /// # Errors
    /// Any [`StoreError`]; the transaction is then lost and [`Tx::commit`] refuses.
    pub async fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql).await?;
        self.heard(self.client().query(&statement, params)).await
    }

    /// The only row, or none.
    ///
    /// # Errors
    /// As [`Tx::query`]; more than one row counts as corrupt.
    pub async fn query_opt(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let statement = self.prepared(sql).await?;
        self.heard(self.client().query_opt(&statement, params))
            .await
    }

    /// The only row.
    ///
    /// # Errors
    /// As [`Tx::query`]; no row or more than one counts as corrupt.
    pub async fn query_one(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Row, StoreError> {
        let statement = self.prepared(sql).await?;
        self.heard(self.client().query_one(&statement, params))
            .await
    }

    /// How many rows a statement changed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, StoreError> {
        let statement = self.prepared(sql).await?;
        self.heard(self.client().execute(&statement, params)).await
    }

    /// The statement from this connection's cache. After it, [`Tx::execute_prepared`] sends without waiting
    /// for anything, so several of them joined travel together.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn prepared(&self, sql: &'static str) -> Result<Statement, StoreError> {
        self.heard(self.client().prepare_cached(sql)).await
    }

    /// [`Tx::execute`] of a statement at hand: sent at the first poll.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn execute_prepared(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<u64, StoreError> {
        self.heard(self.client().execute(statement, params)).await
    }

    /// [`Tx::query`] of a statement at hand: sent at the first poll.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn query_prepared(
        &self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.heard(self.client().query(statement, params)).await
    }

    /// The driver's client, for COPY and the like. Errors seen through it do not mark the transaction as lost.
    #[must_use]
    pub fn client(&self) -> &ClientWrapper {
        &self.0.connection
    }

    /// Ends the transaction.
    ///
    /// May be joined behind prepared statements so that COMMIT travels with them: their own results then decide,
    /// because PostgreSQL answers the COMMIT of a failed transaction with a silent rollback.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] when the connection is lost under way, [`StoreError::Refused`] when an
    /// earlier statement had failed.
    pub async fn commit(self) -> Result<(), StoreError> {
        if self.0.state.swap(ENDED, Ordering::AcqRel) == FAILED {
            self.send_rollback();
            return Err(lost());
        }
        match self.client().batch_execute("COMMIT").await {
            Ok(()) if self.0.state.load(Ordering::Acquire) == FAILED => Err(lost()),
            Ok(()) => Ok(()),
            Err(error) => Err(match StoreError::from(error) {
                StoreError::Unavailable(_) => StoreError::CommitUnknown,
                other => other,
            }),
        }
    }

    pub(super) fn policies(&self) -> &policies::Cache {
        &self.0.pools.policies
    }

    async fn heard<T>(
        &self,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        asked.await.map_err(|error| {
            self.0.state.store(FAILED, Ordering::Release);
            StoreError::from(error)
        })
    }

    fn send_rollback(&self) {
        self.0.send_rollback();
    }
}

impl Inner {
    /// Puts ROLLBACK on the wire; its answer is read before the connection serves anybody else.
    fn send_rollback(&self) {
        if let Some(Err(error)) = self.connection.batch_execute("ROLLBACK").now_or_never() {
            tracing::debug!(%error, "rollback not sent, the connection is gone");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if *self.state.get_mut() != ENDED {
            self.send_rollback();
        }
    }
}

fn lost() -> StoreError {
    StoreError::Refused {
        code: "25P02".to_owned(),
        message: "an earlier statement of the transaction failed".to_owned(),
        constraint: None,
    }
}
