-- The circle of care: invitations, what a grant remembers besides its ticks, and mails to accounts.
-- An older server may run beside it: it neither invites nor sends these mails.
INSERT INTO schema_compat (version, oldest_server) VALUES (6, 3);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    patient_id uuid NOT NULL REFERENCES patients,
    invited_by uuid NOT NULL REFERENCES accounts,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    email_folded text NOT NULL,            -- two addresses that are equal here are one account
    relationship text NOT NULL CHECK (length(relationship) BETWEEN 1 AND 60),
    nhs_number text CHECK (nhs_number ~ '^[0-9]{10}$'), -- when given, whoever accepts must not have another one
    ticks text[] NOT NULL CHECK (cardinality(ticks) > 0),
    may_read_for_me boolean NOT NULL DEFAULT false,
    token_sha256 bytea UNIQUE CHECK (length(token_sha256) = 32), -- made as the mail leaves; the token itself is kept nowhere
    created_at timestamptz NOT NULL DEFAULT app_now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('accepted', 'declined', 'cancelled')),
    grant_id uuid REFERENCES grants,
    CHECK ((ended_at IS NULL) = (outcome IS NULL)),
    CHECK ((grant_id IS NOT NULL) = (outcome IS NOT DISTINCT FROM 'accepted'))
);
CREATE INDEX invitations_patient ON invitations (patient_id, created_at);
-- The nightly sweep forgets the addresses of those who did not accept.
CREATE INDEX invitations_expiry ON invitations (expires_at);

ALTER TABLE grants
    ADD COLUMN carer_left boolean NOT NULL DEFAULT false,  -- ended by the carer: needs a new invitation
    ADD COLUMN reading_since timestamptz,                  -- when the patient last said that this carer may read for them
    ADD COLUMN reading_asked_at timestamptz,               -- when we asked whether that is still so
    ADD COLUMN tell_carer boolean NOT NULL DEFAULT false,  -- the carer wants an email when there is something new
    ADD COLUMN told_seq bigint NOT NULL DEFAULT 0,         -- events up to here have been considered for such an email
    ADD COLUMN told_at timestamptz;
UPDATE grants SET reading_since = created_at WHERE may_read_for_me;
CREATE INDEX grants_told ON grants (patient_id) WHERE tell_carer AND revoked_at IS NULL;
CREATE INDEX grants_reading ON grants (reading_since) WHERE may_read_for_me AND revoked_at IS NULL;

-- Mails to accounts and to those who are invited. The id is the effect's key: a second one cannot be inserted.
CREATE TABLE account_mails (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    to_address text NOT NULL CHECK (length(to_address) BETWEEN 3 AND 254), -- as it stood when the mail was queued
    account_id uuid REFERENCES accounts,
    invitation_id uuid REFERENCES invitations ON DELETE CASCADE,
    grant_id uuid REFERENCES grants,
    params jsonb NOT NULL DEFAULT '{}',    -- numbers and instants; never a clinical word or a secret
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'cancelled')),
    due_at timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 0,    -- the fencing token
    lease_until timestamptz,
    lease_node uuid,
    leaving_at timestamptz,                -- committed just before the irreversible call: without it nothing has left
    provider_reference text,
    code text,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    finished_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX account_mails_due ON account_mails (due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX account_mails_invitation ON account_mails (invitation_id, created_at) WHERE invitation_id IS NOT NULL;
CREATE INDEX account_mails_finished ON account_mails (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX account_mails_grant ON account_mails (grant_id) WHERE grant_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON invitations, account_mails TO letterbox_app;
