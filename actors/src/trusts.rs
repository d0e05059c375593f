//! Keeps one supervisor for every trust there is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use letterbox_domain::id::TrustId;

use crate::{
    ports::{CaseStore, PortResult},
    rounds::{AnyPost, Job, Post, Rest, Tools, patiently},
    supervisor::Supervisor,
    system::Wires,
};

/// The job that opens and closes supervisors' posts.
pub(crate) struct Trusts {
    cases: Arc<dyn CaseStore>,
    wires: Arc<Wires>,
    tools: Tools,
    posts: Mutex<HashMap<TrustId, Arc<Post<Supervisor>>>>,
}

impl Job for Trusts {
    fn name(&self) -> String {
        "trusts".to_owned()
    }

    async fn pass(self: Arc<Self>) -> PortResult<Rest> {
        let trusts = patiently(self.wires.settings.port_patience, self.cases.trusts()).await?;
        if !self.wires.is_stopping() {
            self.open(&trusts);
            self.close_others(&trusts);
        }
        Ok(Rest(self.wires.settings.trusts_every))
    }
}

impl Trusts {
    pub(crate) fn new(cases: Arc<dyn CaseStore>, wires: Arc<Wires>, tools: Tools) -> Self {
        Self {
            cases,
            wires,
            tools,
            posts: Mutex::default(),
        }
    }

    /// Pokes the trust's supervisor; `false` if it has none yet.
    pub(crate) fn poke(&self, trust: TrustId) -> bool {
        let post = self.lock().get(&trust).cloned();
        post.is_some_and(|post| {
            post.poke();
            true
        })
    }

    pub(crate) fn posts(&self) -> Vec<Arc<dyn AnyPost>> {
        self.lock()
            .values()
            .map(|post| Arc::clone(post) as Arc<dyn AnyPost>)
            .collect()
    }

    fn open(&self, trusts: &[TrustId]) {
        let mut posts = self.lock();
        for &trust in trusts {
            posts.entry(trust).or_insert_with(|| {
                let (cases, wires) = (Arc::clone(&self.cases), Arc::clone(&self.wires));
                Post::open(
                    Arc::new(Supervisor {
                        trust,
                        cases,
                        wires,
                    }),
                    &self.tools,
                )
            });
        }
    }

    /// A trust that is gone has no open cases; its supervisor's last address goes with its post.
    fn close_others(&self, trusts: &[TrustId]) {
        self.lock().retain(|trust, post| {
            let stays = trusts.contains(trust);
            if !stays {
                self.tools.health.forget(post.name());
                drop(actix_rt::spawn(post.finish()));
            }
            stays
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TrustId, Arc<Post<Supervisor>>>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
