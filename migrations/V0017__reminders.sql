-- Reminders of appointments, for patients who ask for them: one way of telling, and since when.
-- No older server may run beside it: it would send a text's words by email.

ALTER TABLE memberships
    ADD COLUMN reminders text CHECK (reminders IN ('email', 'text')),  -- NULL: none
    ADD COLUMN reminders_since timestamptz,                            -- what was due before was not asked for
    ADD CHECK ((reminders IS NULL) = (reminders_since IS NULL));

-- What goes to accounts may be a text as well.
ALTER TABLE account_mails
    ADD COLUMN channel text NOT NULL DEFAULT 'email' CHECK (channel IN ('email', 'text')),
    ADD COLUMN appointment_id uuid REFERENCES appointments;            -- what a reminder is about
DROP INDEX account_mails_due;
CREATE INDEX account_mails_due ON account_mails (channel, due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX account_mails_appointment ON account_mails (appointment_id) WHERE appointment_id IS NOT NULL;

-- The sweep looks a week ahead.
CREATE INDEX appointments_ahead ON appointments (starts_at, id) WHERE state = 'booked';
