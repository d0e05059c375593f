//! Every bound of the live side in one place: what the settings say, and the rest with its reason.

use std::time::Duration;

use crate::config::{LiveSettings, ServerSettings};

/// Bounds of one node's sockets.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a new socket may stay silent before `hi`.
    pub hello_within: Duration,
    /// Seconds between pings; each is drawn anew within ±20 % so that sessions do not beat in time.
    pub ping_every: Duration,
    /// A line silent for this long is dead: a ping, another one, and time to answer both.
    pub silence: Duration,
    /// How long bytes may wait while the peer takes none. 10 s is longer than a lift, shorter than a tunnel.
    pub write_within: Duration,
    /// Events sent and not yet acknowledged, and pushes waiting in memory for one session.
    ///
    /// 64 is more than most patients get in a year and costs 1 KiB, only where it is used. Beyond it nothing
    /// is kept: the box is marked and read again from the store.
    pub window: u16,
    /// Largest message from a browser. A receipt is 150 bytes; `hi` with every box and its cursor is the largest.
    pub max_frame_bytes: usize,
    /// Messages a second from one browser, on average. A page sends at most one receipt per new row.
    pub messages_per_second: u32,
    /// And at once, after a long catch-up.
    pub message_burst: u32,
    /// Sessions of one account on one node: a phone, a tablet, a work PC and a few tabs.
    pub sessions_per_account: usize,
    /// Tickets one account may ask for in a minute: six pages that each lose their line every ten seconds.
    pub tickets_per_minute: u32,
    /// Tickets of this node in a second: the valve in front of a herd.
    pub tickets_per_second: u32,
    /// How long a ticket lives; the handshake follows it within a second.
    pub ticket_life: Duration,
    /// Bytes the kernel holds for a peer that does not read (it doubles this). A window of events is 16 KiB.
    pub send_buffer_bytes: usize,
    /// The kernel gives up a peer that has acknowledged nothing for this long.
    pub unacknowledged_within: Duration,
    /// Sockets held at once, whatever the descriptor limit says: 200,000 take less than 1 GB.
    pub max_sockets: usize,
    /// Descriptors kept for pages, the API, the database and files; sockets are refused before these are touched.
    pub spare_descriptors: usize,
    /// What a refused browser is told to wait, before it adds its own jitter.
    pub retry_after: Duration,
    /// A stopping node sends its sessions away one by one over this long: the others must take them in.
    pub drain_over: Duration,
}

impl Limits {
    /// The bounds that the settings of this node ask for.
    #[must_use]
    pub fn new(live: &LiveSettings, server: &ServerSettings) -> Self {
        let soonest = Duration::from_millis(100);
        Self {
            hello_within: live.hello,
            ping_every: live.ping,
            silence: live.silence,
            write_within: live.write_deadline,
            window: live.window.max(1),
            max_frame_bytes: live.max_frame_bytes.clamp(256, 64 * 1_024),
            messages_per_second: live.messages_per_second,
            message_burst: live.burst,
            sessions_per_account: live.sessions_per_account.max(1),
            tickets_per_minute: 36,
            tickets_per_second: live.tickets_per_second,
            ticket_life: live.ticket_ttl,
            send_buffer_bytes: 16 * 1_024,
            unacknowledged_within: Duration::from_secs(20),
            max_sockets: 200_000,
            // The node, which knows its workers, works it out; this is enough for a few hundred connections.
            spare_descriptors: 1_024,
            retry_after: Duration::from_secs(5),
            // A fifth of the drain is left for closing what is left.
            drain_over: (server.drain * 4 / 5)
                .min(Duration::from_secs(8))
                .max(soonest),
        }
    }
}
