//! How much of everything: the counts of one run.

use std::str::FromStr;

/// Where a server can be killed: the title in the table, the point's name in the code, and the pass at which it
/// happens at the latest (each time a random one up to it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Window {
    pub(crate) title: &'static str,
    pub(crate) point: &'static str,
    pub(crate) latest: u32,
}

/// Points that every letter passes come round often; a batch is printed every two seconds.
pub(crate) const WINDOWS: &[Window] = &[
    window("publish: before the commit", "publish.before_commit", 40),
    window(
        "publish: after the commit, before the 201",
        "publish.after_commit",
        40,
    ),
    window("case: after the claim", "case.claimed", 5),
    window("message: after the claim", "dispatch.claimed", 3),
    window(
        "message: after the provider accepted",
        "dispatch.accepted",
        6,
    ),
    window("message: before the record", "dispatch.before_record", 6),
    window(
        "print: before the batch is written",
        "print.before_write",
        1,
    ),
    window("print: in the middle of writing", "print.mid_write", 8),
    window("print: right before the rename", "print.before_rename", 1),
    window("print: right after the rename", "print.after_rename", 1),
    window("print: answered, not yet recorded", "print.acked", 1),
];

const fn window(title: &'static str, point: &'static str, latest: u32) -> Window {
    Window {
        title,
        point,
        latest,
    }
}

/// The counts of one run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Kills in each of [`WINDOWS`].
    pub(crate) kills_per_window: u32,
    /// `kill -9` of a node at no particular place.
    pub(crate) random_kills: u32,
    /// `kill -9` of the postmaster.
    pub(crate) postmaster_kills: u32,
    /// `pg_ctl stop -m immediate`.
    pub(crate) immediate_stops: u32,
    /// A node stopped by SIGSTOP until its leases have run out, and then sent on.
    pub(crate) stalls: u32,
    /// New letters a second, to both nodes in turn.
    pub(crate) letters_per_second: u32,
    /// Of a hundred letters, how many are opened by their patients.
    pub(crate) opened_percent: u32,
    pub(crate) patients: usize,
    /// The first so many can be mailed and texted: messages cost the sandbox an fsync each.
    pub(crate) with_contacts: usize,
    /// Leases of cases and messages: short, so that what a dead node held is soon somebody else's.
    pub(crate) lease_seconds: u32,
    /// From publication to paper.
    pub(crate) deadline_seconds: u32,
}

impl Plan {
    /// The defaults of `make test`, each replaced by its variable where that is set.
    pub(crate) fn from_environment() -> Self {
        Self {
            kills_per_window: variable("CRASH_KILLS_PER_WINDOW", 5),
            random_kills: variable("CRASH_RANDOM_KILLS", 5),
            postmaster_kills: variable("CRASH_POSTMASTER_KILLS", 20),
            immediate_stops: variable("CRASH_IMMEDIATE_STOPS", 3),
            stalls: variable("CRASH_STALLS", 2),
            letters_per_second: variable("CRASH_LETTERS_PER_SECOND", 60),
            opened_percent: variable("CRASH_OPENED_PERCENT", 15),
            patients: variable("CRASH_PATIENTS", 600),
            with_contacts: variable("CRASH_WITH_CONTACTS", 75),
            lease_seconds: 4,
            deadline_seconds: 3,
        }
    }

    /// A few letters and two stalls: enough for the fencing check to matter.
    pub(crate) const fn small() -> Self {
        Self {
            kills_per_window: 0,
            random_kills: 0,
            postmaster_kills: 0,
            immediate_stops: 0,
            stalls: 2,
            letters_per_second: 5,
            opened_percent: 10,
            patients: 60,
            with_contacts: 60,
            // Long against any pause of the machine: here the database's clock alone ends the lease.
            lease_seconds: 30,
            // Beyond that jump, so that a message is still wanted when its first holder goes on.
            deadline_seconds: 600,
        }
    }
}

fn variable<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not {value}")),
        Err(_) => default,
    }
}
