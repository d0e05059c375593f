//! Which trust is calling: API keys, remembered briefly, and each key's pace.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::problem::Problem;
use crate::store::Store;
use crate::store::keys::KeyHolder;

/// How long an answer about a key is believed: a revoked key works this much longer at most.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Far more keys than a region's trusts have; beyond it everything is forgotten and asked again.
const MOST_REMEMBERED: usize = 1_024;

type Sha = [u8; 32];

/// Answers whose key a request carries.
pub(super) struct Keys {
    store: Store,
    known: Mutex<HashMap<Sha, (Option<KeyHolder>, Instant)>>,
    pace: DefaultKeyedRateLimiter<Uuid>,
}

impl Keys {
    /// `per_second` requests of one key on average, `burst` at once after a pause.
    pub(super) fn new(store: Store, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        Self {
            store,
            known: Mutex::default(),
            pace: RateLimiter::keyed(quota),
        }
    }

    /// The trust behind the request.
    ///
    /// # Errors
    /// 401 without a valid key, 429 when the key is used too fast, 503 without a database.
    pub(super) async fn holder(&self, request: &HttpRequest) -> Result<KeyHolder, Problem> {
        let sha = bearer(request)
            .map(|key| Sha::from(Sha256::digest(key)))
            .ok_or_else(Problem::unauthorized)?;
        let holder = match self.remembered(&sha) {
            Some(answer) => answer,
            None => self.ask(sha).await?,
        };
        let holder = holder.ok_or_else(Problem::unauthorized)?;
        self.pace
            .check_key(&holder.key)
            .map_err(|_| Problem::too_many(1))?;
        Ok(holder)
    }

    fn remembered(&self, sha: &Sha) -> Option<Option<KeyHolder>> {
        let known = self.known.lock().ok()?;
        known
            .get(sha)
            .filter(|(_, at)| at.elapsed() < REMEMBERED)
            .map(|(answer, _)| *answer)
    }

    async fn ask(&self, sha: Sha) -> Result<Option<KeyHolder>, Problem> {
        let answer = self
            .store
            .key_holder(&sha)
            .await
            .map_err(|error| super::answer::store_problem(&error))?;
        if let Ok(mut known) = self.known.lock() {
            if known.len() >= MOST_REMEMBERED {
                known.clear();
            }
            known.insert(sha, (answer, Instant::now()));
        }
        Ok(answer)
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
        .map(str::trim)
}
