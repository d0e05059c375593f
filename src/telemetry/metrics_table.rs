//! Every figure that this system reports, with its help text. A test compares the table with the code.

/// How a figure moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only upwards.
    Counter,
    /// Up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        help,
    }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram,
        help,
    }
}

/// Every figure, by place.
pub const METRICS: &[Metric] = &[
    // The process.
    gauge(
        "letterbox_open_descriptors",
        "Open file descriptors; every socket is one",
    ),
    gauge(
        "letterbox_descriptor_limit",
        "File descriptors that this process may open",
    ),
    gauge("letterbox_resident_bytes", "Memory that this process holds"),
    counter(
        "letterbox_panics_total",
        "Panics, anywhere; each costs a resync and is a fault of ours",
    ),
    // HTTP.
    counter(
        "letterbox_http_problems_total",
        "Refusals and errors answered, by code",
    ),
    counter(
        "letterbox_content_policy_reports_total",
        "Breaches of the pages' content policy that browsers reported, by directive; dropped: beyond the rate",
    ),
    // The store.
    counter(
        "letterbox_store_retries_total",
        "Transactions tried again after meeting another, by transaction",
    ),
    counter(
        "letterbox_cases_set_aside_total",
        "Cases that were claimed again and again and never finished, handed to a person",
    ),
    gauge(
        "letterbox_cases_without_next_step",
        "Letters and cases for which nothing is armed; anything but 0 is an emergency",
    ),
    // Uploaded files.
    counter(
        "letterbox_inspect_children_lost_total",
        "Inspection processes that missed a bound and were replaced",
    ),
    counter(
        "letterbox_letters_not_drawn_total",
        "Letters that could not be shown as pictures at a public computer",
    ),
    // Intake.
    histogram(
        "letterbox_intake_batch_letters",
        "Letters published by one transaction",
    ),
    // The living system.
    gauge("letterbox_patient_actors", "Patients' mailboxes in memory"),
    gauge(
        "letterbox_attached_sessions",
        "Sessions attached to mailboxes",
    ),
    counter(
        "letterbox_pushes_total",
        "Pushes offered to sessions, by result",
    ),
    counter(
        "letterbox_mailbox_refusals_total",
        "Messages refused by a full mailbox, by actor; made good within a second",
    ),
    counter(
        "letterbox_event_gaps_total",
        "Events found missing and reloaded",
    ),
    counter(
        "letterbox_mailbox_read_failures_total",
        "Mailbox reads that failed; logged at most once a second",
    ),
    counter(
        "letterbox_attachments_total",
        "Sessions attached, by where they continue or why they were refused",
    ),
    counter(
        "letterbox_views_withdrawn_total",
        "Views taken away, by reason",
    ),
    counter(
        "letterbox_actor_panics_total",
        "Actors replaced after a panic, by actor",
    ),
    gauge(
        "letterbox_quarantined_mailboxes",
        "Mailboxes that panicked three times and are served by HTTP alone",
    ),
    histogram(
        "letterbox_heads_seconds",
        "One comparison of all attached positions with the database",
    ),
    counter(
        "letterbox_overdue_cases_total",
        "Decisions on overdue cases, by result",
    ),
    histogram(
        "letterbox_case_lateness_seconds",
        "How late the oldest case of a claim was",
    ),
    counter(
        "letterbox_dispatches_total",
        "Messages handled, by channel and outcome",
    ),
    gauge(
        "letterbox_dispatches_in_flight",
        "Messages being handed to providers now, by channel",
    ),
    counter("letterbox_print_batches_total", "Print batches, by step"),
    counter(
        "letterbox_loop_failures_total",
        "Failed attempts of background loops, by loop",
    ),
    counter("letterbox_chores_total", "Chores run, by chore and result"),
    // Browsers' sockets and the doorbell.
    gauge(
        "letterbox_live_sockets",
        "Browsers' sockets held, identified or not",
    ),
    gauge(
        "letterbox_live_socket_limit",
        "Sockets that this node may hold",
    ),
    gauge("letterbox_live_sessions", "Identified live sessions"),
    counter(
        "letterbox_live_refused_total",
        "Upgrade requests turned away, by reason",
    ),
    counter(
        "letterbox_live_tickets_total",
        "Tickets asked for, by outcome",
    ),
    counter(
        "letterbox_live_ended_total",
        "Live sessions ended, by close code",
    ),
    counter("letterbox_live_events_total", "Events written to sockets"),
    counter(
        "letterbox_live_read_again_total",
        "Boxes read again because a session fell behind",
    ),
    counter(
        "letterbox_live_receipts_total",
        "Receipts from browsers, by outcome",
    ),
    histogram(
        "letterbox_push_commit_to_socket_seconds",
        "From the return of COMMIT to the write into the socket",
    ),
    counter(
        "letterbox_foreign_requests_total",
        "Changing requests that did not come from our pages, by reason",
    ),
    counter(
        "letterbox_nhs_login_total",
        "Visits to NHS login, by outcome",
    ),
    counter(
        "letterbox_outbox_taken_total",
        "Wake-ups taken out of the outbox",
    ),
];
