//! Names of the figures of the live side; their help texts stand in the telemetry's table. Labels are reasons and codes; never an id.

/// Gauge: sockets held, identified or not.
pub const SOCKETS: &str = "letterbox_live_sockets";
/// Gauge: sockets that this node may hold.
pub const SOCKET_LIMIT: &str = "letterbox_live_socket_limit";
/// Gauge: identified sessions.
pub const SESSIONS: &str = "letterbox_live_sessions";
/// Counter: upgrade requests turned away, by `reason`.
pub const REFUSED: &str = "letterbox_live_refused_total";
/// Counter: tickets asked for, by `outcome`.
pub const TICKETS: &str = "letterbox_live_tickets_total";
/// Counter: sessions ended, by `code`.
pub const ENDED: &str = "letterbox_live_ended_total";
/// Counter: events written to sockets.
pub const EVENTS: &str = "letterbox_live_events_total";
/// Counter: boxes read again because a session fell behind.
pub const READ_AGAIN: &str = "letterbox_live_read_again_total";
/// Counter: receipts, by `outcome`.
pub const RECEIPTS: &str = "letterbox_live_receipts_total";
/// Histogram: from COMMIT's return to the write into the socket, on the node that committed.
pub const COMMIT_TO_SOCKET: &str = "letterbox_push_commit_to_socket_seconds";
