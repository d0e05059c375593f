//! How many connections and sockets this process has descriptors for. Divides them once, at start; counts nothing.

use std::thread::available_parallelism;

use crate::config::ServerSettings;

/// The database's pools, logs, inspection children's pipes and files being read take less.
const KEPT: usize = 256;
/// Each connection in HTTP holds its socket and a second handle on it.
const A_CONNECTION: usize = 2;
/// Idle ones hold 10 to 40 KB of buffers: so many take less than 400 MB, and a proxy needs far fewer.
const MOST_CONNECTIONS: usize = 10_000;
/// With fewer a worker could not serve one page with its pictures to two people.
const FEWEST_A_WORKER: usize = 16;

/// The descriptors of this process, divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Threads that serve HTTP.
    pub(super) workers: usize,
    /// Connections in HTTP of one of them.
    pub(super) per_worker: usize,
    /// Descriptors that sockets must leave to everything else.
    pub(super) spare: usize,
}

impl Room {
    /// For a process that may open so many descriptors.
    pub(super) fn of(descriptors: u64, server: &ServerSettings) -> Self {
        let cores = || available_parallelism().map_or(1, usize::from);
        let workers = if server.workers == 0 {
            cores()
        } else {
            server.workers
        };
        Self::divided(
            usize::try_from(descriptors).unwrap_or(usize::MAX),
            workers,
            server.max_connections,
        )
    }

    /// `wanted` connections a worker; 0 is a quarter of what there is. Never more than half of it.
    fn divided(descriptors: usize, workers: usize, wanted: usize) -> Self {
        let usable = descriptors.saturating_sub(KEPT);
        let most = usable / 2 / A_CONNECTION / workers;
        let per_worker = match wanted {
            0 => (usable / 4 / A_CONNECTION).min(MOST_CONNECTIONS) / workers,
            wanted => wanted.min(most),
        }
        .max(FEWEST_A_WORKER);
        Self {
            workers,
            per_worker,
            spare: KEPT + per_worker * workers * A_CONNECTION,
        }
    }

    /// Said once at start, so that an operator need not work it out.
    pub(super) fn announce(self, descriptors: u64, server: &ServerSettings) {
        if server.max_connections > self.per_worker {
            tracing::warn!(
                wanted = server.max_connections,
                given = self.per_worker,
                "server.max_connections does not fit: raise the limit of open files (ulimit -n)"
            );
        }
        tracing::info!(
            descriptors,
            workers = self.workers,
            http_connections_per_worker = self.per_worker,
            kept_from_sockets = self.spare,
            "node.room"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_sockets_together_never_need_more_descriptors_than_there_are() {
        for descriptors in [1_024, 4_096, 20_000, 65_536, 1_048_576] {
            for workers in [1, 2, 16] {
                for wanted in [0, 1, 100, 25_000] {
                    let room = Room::divided(descriptors, workers, wanted);
                    let http = room.per_worker * room.workers * A_CONNECTION;
                    assert_eq!(room.spare, KEPT + http, "{room:?}");
                    let least = KEPT + FEWEST_A_WORKER * workers * A_CONNECTION;
                    assert!(
                        room.spare <= (KEPT + descriptors.saturating_sub(KEPT) / 2).max(least),
                        "sockets keep half of {descriptors}: {room:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn by_itself_it_takes_a_quarter_and_no_more_than_it_can_use() {
        assert_eq!(Room::divided(20_000, 2, 0).per_worker, 1_234);
        assert_eq!(Room::divided(1_048_576, 2, 0).per_worker, 5_000);
        assert_eq!(
            Room::divided(20_000, 2, 25_000).per_worker,
            2_468,
            "what was asked for does not fit"
        );
        assert_eq!(Room::divided(20_000, 2, 300).per_worker, 300);
    }
}
