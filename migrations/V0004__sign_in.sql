-- Sign-in by an identity provider outside, and joining the portal. An older server may run beside it: it only
-- offers no such sign-in.
INSERT INTO schema_compat (version, oldest_server) VALUES (4, 3);

-- A visit to the identity provider: begun by one browser, used once, within minutes. Secrets are kept as hashes.
CREATE TABLE sign_ins (
    id uuid PRIMARY KEY,
    state_sha256 bytea NOT NULL UNIQUE CHECK (length(state_sha256) = 32),
    browser_sha256 bytea NOT NULL CHECK (length(browser_sha256) = 32),
    nonce_sha256 bytea NOT NULL CHECK (length(nonce_sha256) = 32),
    issuer text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('sign_in', 'confirm', 'join')),
    account_id uuid REFERENCES accounts,   -- who asked, where somebody was signed in already
    public_computer boolean NOT NULL,
    next text NOT NULL,                    -- a path of ours
    created_at timestamptz NOT NULL DEFAULT app_now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CHECK (purpose = 'sign_in' OR account_id IS NOT NULL)
);
CREATE INDEX sign_ins_expires ON sign_ins (expires_at);

-- What the identity provider said of somebody who has yet to decide whether to join. Deleted with the decision;
-- after half an hour it is worth nothing and is swept.
CREATE TABLE joinings (
    id uuid PRIMARY KEY,
    secret_sha256 bytea NOT NULL UNIQUE CHECK (length(secret_sha256) = 32),
    issuer text NOT NULL,
    subject text NOT NULL,
    account_id uuid REFERENCES accounts,   -- a carer who now wants a mailbox
    given_name text NOT NULL,
    family_name text NOT NULL,
    birth_date date NOT NULL,
    nhs_number text,                       -- only where a mailbox may be opened
    no_mailbox text CHECK (no_mailbox IN ('outside_area', 'wales', 'no_practice', 'no_nhs_number')),
    email text NOT NULL,
    mobile text,
    practice_code text,
    public_computer boolean NOT NULL,
    next text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    expires_at timestamptz NOT NULL,
    CHECK ((nhs_number IS NULL) = (no_mailbox IS NOT NULL))
);
CREATE INDEX joinings_expires ON joinings (expires_at);

-- Somebody whom we cannot place: the help desk settles it. Nothing is changed until then; letters go on as before.
CREATE TABLE identity_mismatches (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('number_changed', 'other_login', 'details_differ')),
    issuer text NOT NULL,
    subject text NOT NULL,
    account_id uuid REFERENCES accounts,
    patient_id uuid REFERENCES patients,
    nhs_number text,                       -- as the identity provider has it now
    times integer NOT NULL DEFAULT 1,
    noted_at timestamptz NOT NULL DEFAULT app_now(),
    closed_at timestamptz
);
CREATE UNIQUE INDEX identity_mismatches_open ON identity_mismatches (issuer, subject, kind) WHERE closed_at IS NULL;

ALTER TABLE memberships
    ADD COLUMN consent_version integer,    -- which text was agreed to; NULL for those written before there was one
    ADD COLUMN practice_code text,         -- the GP practice at joining
    ADD COLUMN left_reason text CHECK (left_reason IN ('moved_away', 'moved_to_wales', 'account_closed'));

GRANT SELECT, INSERT, UPDATE, DELETE ON sign_ins, joinings, identity_mismatches TO letterbox_app;
