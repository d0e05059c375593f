-- What patients choose about how they are reached, and accounts that are closed.

-- on: told of what is new. off: not told of what is new, told of what they must know (a sign-in, an invitation).
-- never: nothing about this person leaves that way, because somebody else might see it.
ALTER TABLE memberships
    ADD COLUMN email_choice text NOT NULL DEFAULT 'on' CHECK (email_choice IN ('on', 'off', 'never')),
    ADD COLUMN text_choice text NOT NULL DEFAULT 'on' CHECK (text_choice IN ('on', 'off', 'never')),
    -- How paper is to be printed, in the patient's own words; wins over what a hospital has on file.
    ADD COLUMN format_choice text CHECK (format_choice IN ('standard', 'large_print', 'braille', 'audio', 'easy_read'));

-- Nothing may be posted to this person: a person at the hospital phones instead. Stays when the account is closed.
ALTER TABLE patients ADD COLUMN post_unsafe_since timestamptz;

-- Why people leave. The account's own row keeps no name, address or number.
CREATE TABLE account_closures (
    account_id uuid PRIMARY KEY REFERENCES accounts,
    patient_id uuid REFERENCES patients,
    reason text NOT NULL CHECK (reason IN ('prefer_post', 'hard_to_use', 'privacy', 'moving', 'no_need', 'other')),
    letters_posted integer NOT NULL,       -- unread ones that went to the post
    closed_at timestamptz NOT NULL DEFAULT app_now()
);
-- Counted by whoever runs the service, never read by the server.
GRANT INSERT ON account_closures TO letterbox_app;

-- "Who looked at my record": newest first.
CREATE INDEX audit_patient_newest ON audit (patient_id, id DESC) WHERE patient_id IS NOT NULL;
