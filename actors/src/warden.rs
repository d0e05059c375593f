//! Looks after the actors themselves: replaces whoever's mailbox has closed, and silences carers in time.
//!
//! `actix::Supervisor` does not survive a panic: the arbiter's task is dropped, actor, supervisor and all. So this
//! is a plain task that runs no handler of ours, woken by each panic and four times a second besides.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;

use crate::{
    directory::Directory,
    patient::Surroundings,
    rounds::{AnyPost, Post, Tools},
    system::Wires,
    trusts::Trusts,
};

/// Bounds how long a death goes unseen if its notice was lost, and how far past a lease a carer's view may stand.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Every so many looks the patients' actors are looked at one by one, though nobody is known to have died.
const FULL_LOOK: u32 = 4;

struct Warden {
    posts: Vec<Arc<dyn AnyPost>>,
    trusts: Arc<Post<Trusts>>,
    directory: Arc<Directory>,
    around: Arc<Surroundings>,
    carers_silenced: bool,
    looks: u32,
}

/// Runs until the system stops.
pub(crate) fn start(
    tools: &Tools,
    posts: Vec<Arc<dyn AnyPost>>,
    trusts: Arc<Post<Trusts>>,
    directory: Arc<Directory>,
    around: Arc<Surroundings>,
    wires: Arc<Wires>,
) {
    let mut warden = Warden {
        posts,
        trusts,
        directory,
        around,
        carers_silenced: false,
        looks: 0,
    };
    let crashed = Arc::clone(&tools.crashed);
    tools.thread.spawn(async move {
        while !wires.is_stopping() {
            let somebody_died = tokio::time::timeout(LOOK_EVERY, crashed.notified())
                .await
                .is_ok();
            let look = AssertUnwindSafe(async { warden.look(somebody_died) }).catch_unwind();
            if look.await.is_err() {
                tracing::error!("warden.panicked");
            }
        }
    });
}

impl Warden {
    fn look(&mut self, somebody_died: bool) {
        self.looks = self.looks.wrapping_add(1);
        if somebody_died || self.looks.is_multiple_of(FULL_LOOK) {
            self.directory.bury_the_dead();
        }
        for post in self.posts.iter().chain(&self.trusts.job().posts()) {
            post.replace_if_dead();
        }
        let lapsed = !self.around.lease.holds();
        if lapsed && !self.carers_silenced {
            self.directory.silence_carers();
        }
        self.carers_silenced = lapsed;
    }
}
