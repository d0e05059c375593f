//! Bounds of the living system: each with its unit and the reason for its default.

use std::time::Duration;

use crate::ports::NodeId;

/// Everything that can be set. `Default` is right for one node of two cores.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This process.
    pub node: NodeId,
    /// Threads that carry patient actors. A patient stays on one for the actor's life. Default: one a core.
    pub patient_threads: usize,
    /// Patient actors in memory, at most; 200,000 × 1.5 KB = 300 MB. Beyond it attaching is refused.
    pub patients_max: usize,
    /// Messages waiting for one patient actor. 16: more means the store is faster than memory; what is refused is re-read.
    pub patient_mailbox: usize,
    /// An actor without sessions is retired after this. 60 s: longer than a page change or a reconnect.
    pub patient_idle: Duration,
    /// Events replayed to one session, at most; further behind, its page is read anew (which costs less).
    pub catch_up_max: u16,
    /// Tabs waiting for a seat at one mailbox, at most: a person with more is not a person.
    pub waiting_max: usize,
    /// Mailbox reads in flight on this node, at most: half of the web pool, so that pages stay served.
    pub reads_max: usize,
    /// One mailbox read. 2 s: a patient waiting longer reconnects anyway.
    pub read_patience: Duration,
    /// Waiting for an attachment, queueing for a read included.
    pub attach_patience: Duration,
    /// Between comparisons of attached heads with the store: bounds what a lost wake-up costs.
    pub heads_every: Duration,
    /// Boxes asked for in one query.
    pub heads_chunk: usize,
    /// Without a completed comparison for this long, carers see nothing more from this node.
    pub grant_lease: Duration,
    /// A mailbox that panics this often within `poison_window` is left to the HTTP path for as long again.
    pub poison_panics: usize,
    pub poison_window: Duration,
    /// Longest sleep of supervisors and chores: what a poke lost on the way costs.
    pub poll: Duration,
    /// The same for dispatchers.
    pub dispatch_poll: Duration,
    /// The same for the print room; the print house tells nobody when it writes, so this is how often it is looked for.
    pub press_poll: Duration,
    /// How soon a trust taken on elsewhere gets its supervisor here.
    pub trusts_every: Duration,
    /// One call of a store or press. Longer counts as a failed attempt.
    pub port_patience: Duration,
    /// First wait after a failed attempt; doubles to `back_off_max`, with jitter.
    pub back_off: Duration,
    pub back_off_max: Duration,
    /// Overdue cases claimed and committed in one transaction.
    pub case_batch: u16,
    /// A claimed case is ours for this long.
    pub case_lease: Duration,
    /// Messages handed to one channel's provider at the same time.
    pub dispatch_parallel: usize,
    /// A claimed message is ours for this long; must exceed `send_patience` twice (look-up, then send).
    pub dispatch_lease: Duration,
    /// One call of a provider. No answer within it is "unknown".
    pub send_patience: Duration,
    /// Print batches written in one pass: each holds its PDF files in memory.
    pub press_batch: u16,
    /// Between two `dirty` of one staff board.
    pub board_every: Duration,
    /// Staff sessions on boards, at most, on this node.
    pub boards_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node: NodeId::random(),
            patient_threads: std::thread::available_parallelism().map_or(1, usize::from),
            patients_max: 200_000,
            patient_mailbox: 16,
            patient_idle: Duration::from_secs(60),
            catch_up_max: 200,
            waiting_max: 64,
            reads_max: 8,
            read_patience: Duration::from_secs(2),
            attach_patience: Duration::from_secs(5),
            heads_every: Duration::from_secs(1),
            heads_chunk: 5_000,
            grant_lease: Duration::from_secs(10),
            poison_panics: 3,
            poison_window: Duration::from_secs(600),
            poll: Duration::from_secs(1),
            dispatch_poll: Duration::from_secs(1),
            press_poll: Duration::from_secs(1),
            trusts_every: Duration::from_secs(15),
            port_patience: Duration::from_secs(20),
            back_off: Duration::from_millis(200),
            back_off_max: Duration::from_secs(10),
            case_batch: 500,
            case_lease: Duration::from_secs(60),
            dispatch_parallel: 16,
            dispatch_lease: Duration::from_secs(60),
            send_patience: Duration::from_secs(15),
            press_batch: 2,
            board_every: Duration::from_secs(1),
            boards_max: 2_000,
        }
    }
}
