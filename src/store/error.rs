//! What can go wrong between a command and PostgreSQL, told by what the caller should do.
//! Never carries a value from a row: DETAIL lines of the database hold personal data and stay behind.

use deadpool_postgres::PoolError;
use thiserror::Error;
use tokio_postgres::error::SqlState;

/// Why the store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// No database, or it is shutting down, full or too slow: answer 503 and let the caller come back.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// Every connection of this pool is in use: shed the load with 503.
    #[error("all database connections are in use")]
    Busy,
    /// Deadlock, serialization failure or lock timeout: the whole transaction may be tried again.
    #[error("the transaction met another one ({0})")]
    Contention(String),
    /// The connection was lost while COMMIT was under way: re-read by key, never redo blindly.
    #[error("it is unknown whether the transaction was committed")]
    CommitUnknown,
    /// A row makes no sense: the item is unusable until a person has looked.
    #[error("{table}.{column} makes no sense: {why}")]
    Corrupt {
        /// Table of the senseless value.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// What was expected, without the value itself.
        why: String,
    },
    /// The database refused the statement: a bug of ours or a broken rule of the schema.
    #[error("the database refused a statement: {message} ({code}{})", constraint.as_deref().map(|c| format!(", {c}")).unwrap_or_default())]
    Refused {
        /// SQLSTATE.
        code: String,
        /// Its one-line message, without DETAIL.
        message: String,
        /// The violated constraint, where one is named.
        constraint: Option<String>,
    },
    /// A text holds a character that PostgreSQL cannot keep, which is U+0000 alone: whoever wrote it must leave it out.
    #[error("a text holds a character that cannot be stored")]
    Unstorable,
    /// The database must not be used as it is: the sentence says what to change.
    #[error("{0}")]
    Unfit(String),
}

impl StoreError {
    /// A value that the code wrote once and cannot understand now.
    pub fn corrupt(table: &'static str, column: &'static str, why: impl ToString) -> Self {
        Self::Corrupt {
            table,
            column,
            why: why.to_string(),
        }
    }

    /// True when the rule `constraint` of the schema refused the statement.
    #[must_use]
    pub fn violates(&self, constraint: &str) -> bool {
        matches!(self, Self::Refused { constraint: Some(name), .. } if name == constraint)
    }
}

/// Errors that may stem from two transactions meeting; [`crate::store::Store::run`] tries those again.
pub trait Retryable {
    /// True when the whole transaction may be tried again with a chance to succeed.
    fn is_contention(&self) -> bool;
}

impl Retryable for StoreError {
    fn is_contention(&self) -> bool {
        matches!(self, Self::Contention(_))
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else {
            return without_database(&error);
        };
        let told = format!("{} ({})", db.message(), db.code().code());
        match classify(db.code()) {
            Class::Contention => Self::Contention(told),
            Class::Unavailable => Self::Unavailable(told),
            Class::Unstorable => Self::Unstorable,
            Class::Refused => Self::Refused {
                code: db.code().code().to_owned(),
                message: db.message().to_owned(),
                constraint: db.constraint().map(ToOwned::to_owned),
            },
        }
    }
}

/// An error that did not come from the server: mostly a lost or refused connection, else a row we misread.
fn without_database(error: &tokio_postgres::Error) -> StoreError {
    let source = std::error::Error::source(error);
    let io = source.is_some_and(|s| s.is::<std::io::Error>());
    if error.is_closed() || io || source.is_none() {
        let why = source.map(ToString::to_string).unwrap_or_default();
        return StoreError::Unavailable(format!("{error} {why}").trim().to_owned());
    }
    // Conversions name the column and the two types, never the value.
    StoreError::corrupt("?", "?", error)
}

enum Class {
    Contention,
    Unavailable,
    Unstorable,
    Refused,
}

fn classify(code: &SqlState) -> Class {
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => Class::Contention,
        SqlState::QUERY_CANCELED | SqlState::READ_ONLY_SQL_TRANSACTION => Class::Unavailable,
        SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => {
            Class::Unstorable
        }
        // 08 connection, 53 resources (disk full, too many connections), 57P operator intervention, 58 system.
        ref other
            if ["08", "53", "57P", "58"]
                .iter()
                .any(|class| other.code().starts_with(class)) =>
        {
            Class::Unavailable
        }
        _ => Class::Refused,
    }
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Self::Busy,
            PoolError::Backend(source) => match Self::from(source) {
                refused @ Self::Refused { .. } => Self::Unavailable(refused.to_string()),
                other => other,
            },
            other => Self::Unavailable(other.to_string()),
        }
    }
}
