-- Cases (one read deadline each), what they send (dispatches, attempts, print batches), and what people must do.

-- A case is open until it ends, once. While it is open `due_at` is its next step: it is never without one.
CREATE TABLE cases (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    patient_id uuid NOT NULL REFERENCES patients,
    letter_id uuid REFERENCES letters,
    appointment_id uuid REFERENCES appointments,
    appointment_change integer,            -- which change of the appointment this case is about
    policy_version integer NOT NULL,
    urgent boolean NOT NULL DEFAULT false,
    step_rungs smallint[] NOT NULL,        -- 1 email, 2 text, 3 deadline, 4 phone task, 5 print check, 6 task check
    step_ats timestamptz[] NOT NULL,
    climbed smallint NOT NULL DEFAULT 0,   -- how many steps are done
    deadline_at timestamptz NOT NULL,      -- when paper (or a person) takes over
    promised_at timestamptz,               -- the print cut-off named in the promise line; NULL when nothing is posted
    due_at timestamptz NOT NULL,
    lease_until timestamptz,
    lease_node uuid,
    fence bigint NOT NULL DEFAULT 0,       -- rises with every claim; a write with an older one changes nothing
    created_at timestamptz NOT NULL DEFAULT app_now(),
    ended_at timestamptz,
    end_kind text CHECK (end_kind IN ('opened', 'posted', 'withdrawn', 'handed_over')),
    end_detail text,
    CHECK ((ended_at IS NULL) = (end_kind IS NULL)),
    CHECK (num_nonnulls(letter_id, appointment_id) = 1),
    CHECK (cardinality(step_rungs) = cardinality(step_ats))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX cases_letter ON cases (letter_id) WHERE letter_id IS NOT NULL;
CREATE UNIQUE INDEX cases_appointment ON cases (appointment_id, appointment_change) WHERE appointment_id IS NOT NULL;
CREATE INDEX cases_due ON cases (trust_id, due_at) WHERE ended_at IS NULL;
CREATE INDEX cases_open_patient ON cases (patient_id) WHERE ended_at IS NULL;

-- One message to one person. Its id is uuid5 of the subject and the rung: a second one cannot be inserted.
CREATE TABLE dispatches (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    trust_id uuid NOT NULL,
    patient_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'text', 'post')),
    state text NOT NULL CHECK (state IN ('queued', 'claimed', 'accepted', 'unknown', 'delivered', 'rejected', 'failed', 'returned', 'cancelled')),
    due_at timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 0,    -- the fencing token of this dispatch
    lease_until timestamptz,
    lease_node uuid,
    provider_reference text,
    code text,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    finished_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX dispatches_due ON dispatches (channel, due_at) WHERE state IN ('queued', 'claimed', 'unknown');
CREATE INDEX dispatches_case ON dispatches (case_id);
CREATE INDEX dispatches_reference ON dispatches (provider_reference) WHERE provider_reference IS NOT NULL;

CREATE TABLE attempts (
    dispatch_id uuid NOT NULL REFERENCES dispatches,
    attempt integer NOT NULL,
    node uuid NOT NULL,
    started_at timestamptz NOT NULL,
    sent_at timestamptz,                   -- committed just before the irreversible call: without it nothing has left
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('accepted', 'rejected', 'later', 'unknown', 'fenced', 'cancelled')),
    code text,
    PRIMARY KEY (dispatch_id, attempt)
);

-- A print batch is frozen when it closes: ids, hashes, addresses and name never change afterwards.
CREATE TABLE print_batches (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    name text NOT NULL UNIQUE,
    cut_off_at timestamptz NOT NULL,
    part smallint NOT NULL DEFAULT 1,      -- a large cut-off is several batches, closed in one transaction
    state text NOT NULL CHECK (state IN ('closed', 'written', 'acknowledged')),
    items integer NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT app_now(),
    written_at timestamptz,
    acknowledged_at timestamptz,
    lease_until timestamptz,               -- saves work only: writing a batch twice gives the same folder
    lease_node uuid,
    UNIQUE (trust_id, cut_off_at, part)
);
CREATE INDEX print_batches_open ON print_batches (state) WHERE state <> 'acknowledged';
CREATE INDEX dispatches_post ON dispatches (trust_id, due_at) WHERE channel = 'post' AND state = 'queued';

CREATE TABLE print_items (
    batch_id uuid NOT NULL REFERENCES print_batches,
    dispatch_id uuid NOT NULL UNIQUE REFERENCES dispatches,
    subject_id uuid NOT NULL,              -- the letter, or the case of an appointment's notice
    version integer NOT NULL,
    document_id uuid NOT NULL REFERENCES documents,
    address_lines text[] NOT NULL,
    format_need text,
    postage text NOT NULL CHECK (postage IN ('first', 'second', 'economy')),
    state text NOT NULL DEFAULT 'sent' CHECK (state IN ('sent', 'posted', 'rejected')),
    code text,
    PRIMARY KEY (batch_id, dispatch_id),
    UNIQUE (subject_id, version)           -- a letter's version is printed once, whatever goes wrong
);

-- An unread letter that paper will still reach in time: recorded and counted, nobody has to act.
CREATE TABLE notices (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    case_id uuid NOT NULL UNIQUE REFERENCES cases,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    closed_at timestamptz
);
CREATE INDEX notices_open ON notices (trust_id, created_at) WHERE closed_at IS NULL;

-- What needs a person.
CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    kind text NOT NULL CHECK (kind IN ('phone', 'no_address', 'print_unacknowledged', 'print_rejected', 'returned_post', 'correction', 'quarantine', 'failed_opening')),
    case_id uuid REFERENCES cases,
    quarantine_id uuid REFERENCES quarantine,
    batch_id uuid REFERENCES print_batches, -- print_unacknowledged: one task for the whole batch
    owner_account_id uuid REFERENCES accounts,
    due_at timestamptz NOT NULL,
    latest_useful_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    escalations smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    closed_at timestamptz,
    outcome text CHECK (outcome IN ('spoke', 'no_answer', 'wrong_number', 'wants_paper', 'opened', 'resolved', 'withdrawn')),
    closed_by uuid REFERENCES accounts
);
CREATE UNIQUE INDEX tasks_one_open ON tasks (case_id, kind) WHERE closed_at IS NULL AND case_id IS NOT NULL;
CREATE UNIQUE INDEX tasks_one_open_batch ON tasks (batch_id, kind) WHERE closed_at IS NULL AND batch_id IS NOT NULL;
CREATE INDEX tasks_open ON tasks (trust_id, due_at) WHERE closed_at IS NULL;

-- A contact that did not work: never tried again while it stays the same; shown to the patient and the trust.
CREATE TABLE bad_contacts (
    patient_id uuid NOT NULL REFERENCES patients,
    channel text NOT NULL CHECK (channel IN ('email', 'text', 'phone')),
    contact text NOT NULL,
    code text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT app_now(),
    PRIMARY KEY (patient_id, channel, contact)
);

GRANT USAGE ON SCHEMA public TO letterbox_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO letterbox_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO letterbox_app;
-- What happened is added to, never changed.
REVOKE UPDATE, DELETE ON history, audit, attempts FROM letterbox_app;
GRANT UPDATE (sent_at, finished_at, outcome, code) ON attempts TO letterbox_app;
-- Schema bookkeeping belongs to the migrate role; the server may read it.
REVOKE INSERT, UPDATE, DELETE ON schema_compat FROM letterbox_app;
DO $$
BEGIN
    IF to_regclass('refinery_schema_history') IS NOT NULL THEN
        REVOKE INSERT, UPDATE, DELETE ON refinery_schema_history FROM letterbox_app;
    END IF;
END
$$;
