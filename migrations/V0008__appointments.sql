-- Appointments: what to bring, "I'll be there", requests to cancel or rebook.

ALTER TABLE appointments ADD COLUMN contact_email text;
ALTER TABLE appointments ADD COLUMN bring text;             -- what to bring, apart from the other instructions
ALTER TABLE appointments ADD COLUMN coming_change integer;  -- the change of which the patient said "I'll be there"
ALTER TABLE appointments ADD COLUMN coming_at timestamptz;

-- Asking changes nothing: the appointment stands until the hospital changes it.
CREATE TABLE change_requests (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    patient_id uuid NOT NULL REFERENCES patients,
    appointment_id uuid NOT NULL REFERENCES appointments,
    appointment_change integer NOT NULL,   -- the appointment as the patient saw it
    wish text NOT NULL CHECK (wish IN ('cancel', 'rebook')),
    note text CHECK (length(note) <= 500), -- the patient's own words; for the booking office only
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'accepted', 'declined', 'taken_back', 'overtaken')),
    asked_at timestamptz NOT NULL DEFAULT app_now(),
    asked_by uuid NOT NULL REFERENCES accounts,
    answer_by timestamptz NOT NULL,        -- unanswered then, it becomes a person's task
    answered_at timestamptz,
    answered_by text,                      -- account:<id> or trust:<id>
    message text CHECK (length(message) <= 500),
    CHECK ((state = 'pending') = (answered_at IS NULL))
);
CREATE UNIQUE INDEX change_requests_one_pending ON change_requests (appointment_id) WHERE state = 'pending';
CREATE INDEX change_requests_appointment ON change_requests (appointment_id, asked_at DESC);
CREATE INDEX change_requests_waiting ON change_requests (trust_id, answer_by) WHERE state = 'pending';

ALTER TABLE tasks ADD COLUMN request_id uuid REFERENCES change_requests;
ALTER TABLE tasks DROP CONSTRAINT tasks_kind_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_kind_check CHECK (kind IN ('phone', 'no_address', 'print_unacknowledged', 'print_rejected', 'returned_post', 'correction', 'quarantine', 'failed_opening', 'not_mine', 'change_request'));
CREATE UNIQUE INDEX tasks_one_open_request ON tasks (request_id) WHERE closed_at IS NULL AND request_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON change_requests TO letterbox_app;
