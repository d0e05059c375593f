//! Places at which a test may end, stop or freeze this process, so that what must survive it can be judged.
//!
//! Armed only by [`arm`], only in mode `test`, only in builds with debug assertions: everything here is nothing
//! at all in a release. It never touches another process and never returns an error.
//!
//! `LETTERBOX_CRASH_POINT=name:n` kills the process with -9 when it passes the point for the n-th time,
//! `LETTERBOX_STALL_POINT` stops it there (SIGSTOP, until somebody sends SIGCONT), and `LETTERBOX_HANG_POINT`
//! freezes only the thread that passes, for good.

/// Every point in the code, in the order in which a letter passes them. A test asks for one of these by name.
pub const POINTS: &[&str] = &[
    "publish.before_commit",
    "publish.after_commit",
    "case.claimed",
    "case.next_due",
    "dispatch.claimed",
    "dispatch.accepted",
    "dispatch.before_record",
    "print.before_write",
    "print.mid_write",
    "print.before_rename",
    "print.after_rename",
    "print.acked",
];

#[cfg(debug_assertions)]
pub use armed::{arm, point};

/// Nothing: this build has no points.
#[cfg(not(debug_assertions))]
pub fn arm(_mode: crate::config::Mode) {}

/// Nothing: this build has no points.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub const fn point(_name: &str) {}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::POINTS;
    use crate::config::Mode;

    static ARMED: OnceLock<Vec<Trap>> = OnceLock::new();

    /// What waits at one point.
    struct Trap {
        point: String,
        /// Passes still to come before it acts; it acts once.
        left: AtomicU32,
        act: fn(),
    }

    /// Reads the environment; called once at start-up, before anything is served.
    ///
    /// Outside mode `test` the variables are ignored, loudly.
    pub fn arm(mode: Mode) {
        let asked = [
            ("LETTERBOX_CRASH_POINT", die as fn()),
            ("LETTERBOX_STALL_POINT", stop),
            ("LETTERBOX_HANG_POINT", freeze),
        ];
        let set = asked.into_iter().filter_map(|(name, act)| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
            Some((name, value, act))
        });
        let mut traps = Vec::new();
        for (variable, value, act) in set {
            match trap(&value, act) {
                _ if mode != Mode::Test => {
                    tracing::error!(variable, "ignored: this is not a test");
                }
                Some(trap) => traps.push(trap),
                None => tracing::error!(
                    variable,
                    value,
                    "ignored: write it as name:n, with a name of crash::POINTS"
                ),
            }
        }
        // A second call finds it armed already, by itself.
        drop(ARMED.set(traps));
    }

    /// One of [`POINTS`] is passed. Costs one load where nothing is armed.
    #[inline]
    pub fn point(name: &'static str) {
        if let Some(traps) = ARMED.get() {
            traps
                .iter()
                .filter(|trap| trap.point == name)
                .for_each(Trap::pass);
        }
    }

    impl Trap {
        fn pass(&self) {
            let less = |left: u32| left.checked_sub(1);
            let before = self
                .left
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
            if before == Ok(1) {
                (self.act)();
            }
        }
    }

    fn trap(value: &str, act: fn()) -> Option<Trap> {
        let (name, n) = value.rsplit_once(':')?;
        let left = n.parse().ok().filter(|n| *n > 0)?;
        POINTS.contains(&name).then(|| Trap {
            point: name.to_owned(),
            left: AtomicU32::new(left),
            act,
        })
    }

    fn die() {
        signal(Signal::KILL);
    }

    fn stop() {
        signal(Signal::STOP);
    }

    fn signal(signal: Signal) {
        if let Err(error) = kill_process(getpid(), signal) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a signal to this very process was refused"
            );
        }
    }

    fn freeze() {
        loop {
            std::thread::park();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_trap_acts_at_the_nth_pass_and_never_again() {
            static ACTED: AtomicU32 = AtomicU32::new(0);
            fn act() {
                ACTED.fetch_add(1, Ordering::Relaxed);
            }
            let trap = trap("print.mid_write:3", act).expect("it is one of ours");
            for (passed, acted) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
                trap.pass();
                assert_eq!(ACTED.load(Ordering::Relaxed), acted, "after pass {passed}");
            }
        }

        #[test]
        fn what_is_no_point_of_ours_is_refused() {
            for value in [
                "",
                "print.mid_write",
                "print.mid_write:0",
                "print.mid_write:x",
                "somewhere:1",
            ] {
                assert!(trap(value, die).is_none(), "{value}");
            }
        }
    }
}
