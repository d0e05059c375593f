-- Documents: letters that are not the patient's, paper that the patient asks for, threads, the roll-out's authors.

-- The patient says that a letter is not theirs: from then on nobody reads it, and no carer sees it. Whatever was
-- planned for it waits in `disputes` until it is undone, or a named person has taken the matter on.
ALTER TABLE letters ADD COLUMN not_mine_at timestamptz;

CREATE TABLE disputes (
    letter_id uuid PRIMARY KEY REFERENCES letters,
    said_by uuid NOT NULL REFERENCES accounts,
    said_at timestamptz NOT NULL DEFAULT app_now(),
    was_hidden boolean NOT NULL,           -- hidden from the circle of care before
    accepted_at timestamptz,
    accepted_by uuid REFERENCES accounts,
    -- The case's plan as it stood; NULL where no case was open.
    step_rungs smallint[],
    step_ats timestamptz[],
    climbed smallint,
    promised_at timestamptz,
    due_at timestamptz,
    CHECK ((accepted_at IS NULL) = (accepted_by IS NULL))
);

-- "Post me this one too": opening the letter does not call this paper off.
ALTER TABLE dispatches ADD COLUMN asked_at timestamptz;

-- A task may be about a letter that has no case, because the hospital posts it itself.
ALTER TABLE tasks ADD COLUMN letter_id uuid REFERENCES letters;
ALTER TABLE tasks DROP CONSTRAINT tasks_kind_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_kind_check CHECK (kind IN ('phone', 'no_address', 'print_unacknowledged', 'print_rejected', 'returned_post', 'correction', 'quarantine', 'failed_opening', 'not_mine'));
ALTER TABLE tasks DROP CONSTRAINT tasks_outcome_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_outcome_check CHECK (outcome IN ('spoke', 'no_answer', 'wrong_number', 'wants_paper', 'opened', 'resolved', 'withdrawn', 'not_mine', 'undone', 'accepted'));
CREATE UNIQUE INDEX tasks_one_open_letter ON tasks (letter_id, kind) WHERE closed_at IS NULL AND letter_id IS NOT NULL;

-- One thread per appointment.
CREATE INDEX letters_appointment ON letters (appointment_id) WHERE appointment_id IS NOT NULL;

-- Who last changed a row of the roll-out, for the page that shows it; the whole story is in the history.
ALTER TABLE rollout ADD COLUMN changed_at timestamptz;
ALTER TABLE rollout ADD COLUMN changed_by uuid REFERENCES accounts;

GRANT SELECT, INSERT, UPDATE, DELETE ON disputes TO letterbox_app;
