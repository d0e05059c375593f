//! Names of the figures that the living system reports. Help texts stand in the server's telemetry.
//!
//! Labels are channel, loop or reason names; never an id of a person.

/// Gauge: patient actors in memory.
pub const PATIENTS: &str = "letterbox_patient_actors";
/// Gauge: sessions attached to mailboxes.
pub const ATTACHED: &str = "letterbox_attached_sessions";
/// Counter: pushes offered to sessions, by `result` (taken, full, gone, hidden, withheld).
pub const PUSHES: &str = "letterbox_pushes_total";
/// Counter: a message refused by a full mailbox, by `actor`; repaired by the next comparison of heads.
pub const REFUSED: &str = "letterbox_mailbox_refusals_total";
/// Counter: events found missing and reloaded through the port.
pub const GAPS: &str = "letterbox_event_gaps_total";
/// Counter: mailbox reads that failed; logged at most once a second.
pub const READ_FAILURES: &str = "letterbox_mailbox_read_failures_total";
/// Counter: attachments, by `from` (live, catch_up, reset) or by `refused` reason.
pub const ATTACHES: &str = "letterbox_attachments_total";
/// Counter: views taken away, by `why`.
pub const REVOCATIONS: &str = "letterbox_views_withdrawn_total";
/// Counter: actors replaced after a panic, by `actor`.
pub const PANICS: &str = "letterbox_actor_panics_total";
/// Gauge: mailboxes that panicked three times in ten minutes and are served by HTTP alone.
pub const QUARANTINED: &str = "letterbox_quarantined_mailboxes";
/// Histogram (seconds): one comparison of all attached heads with the store.
pub const HEADS_SECONDS: &str = "letterbox_heads_seconds";
/// Counter: decisions on overdue cases, by `result` (done, lost_lease, ended, poison).
pub const CASES: &str = "letterbox_overdue_cases_total";
/// Histogram (seconds): how late the oldest case of a claim was.
pub const CASE_LATENESS_SECONDS: &str = "letterbox_case_lateness_seconds";
/// Counter: messages handled, by `channel` and `outcome` (accepted, rejected, later, unknown, unwanted, abandoned, fenced).
pub const DISPATCHES: &str = "letterbox_dispatches_total";
/// Gauge: messages being handed to providers now, by `channel`.
pub const IN_FLIGHT: &str = "letterbox_dispatches_in_flight";
/// Counter: print batches, by `step` (closed, written, acknowledged).
pub const BATCHES: &str = "letterbox_print_batches_total";
/// Counter: failed attempts of background loops, by `loop`.
pub const LOOP_FAILURES: &str = "letterbox_loop_failures_total";
/// Counter: chores run, by `chore` and `result` (done, failed).
pub const CHORES: &str = "letterbox_chores_total";
