-- People: trusts and their keys, accounts and how they sign in, patients, memberships, grants, sessions.
-- Two roles: the migrate role owns everything; `letterbox_app` serves and owns nothing.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'letterbox_app') THEN
        CREATE ROLE letterbox_app NOLOGIN;
    END IF;
END
$$;

-- Which servers may run on a schema that is newer than they know: the migration that a server does not know
-- must have a row here that names it or an older one, else the server refuses to start.
CREATE TABLE schema_compat (
    version integer PRIMARY KEY,
    oldest_server integer NOT NULL CHECK (oldest_server <= version)
);

-- The one source of time for SQL. In production: the transaction's time. Test and demonstration
-- databases replace it (never by a migration) with a version that adds the row of `clock_offset`.
CREATE FUNCTION app_now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT now() $$;

CREATE TABLE clock_offset (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ahead interval NOT NULL DEFAULT '0'
);

CREATE TABLE trusts (
    id uuid PRIMARY KEY,
    ods_code text NOT NULL UNIQUE CHECK (ods_code ~ '^[A-Z0-9]{3,6}$'),
    name text NOT NULL,
    short_name text NOT NULL,
    switchboard text NOT NULL,
    policy_version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app_now()
);

-- Policy as data: versioned, never changed once written; a case keeps the version of its publication.
CREATE TABLE policies (
    trust_id uuid NOT NULL REFERENCES trusts,
    version integer NOT NULL,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    PRIMARY KEY (trust_id, version)
);

-- Which specialty and letter kind of a trust is live, since when, and whose the paper of a non-member is.
CREATE TABLE rollout (
    trust_id uuid NOT NULL REFERENCES trusts,
    specialty text NOT NULL,          -- '*' stands for every specialty without a row of its own
    letter_kind text NOT NULL CHECK (letter_kind IN ('appointment', 'clinic')),
    live_from timestamptz NOT NULL,
    non_member_route text NOT NULL DEFAULT 'we_post' CHECK (non_member_route IN ('we_post', 'you_post')),
    PRIMARY KEY (trust_id, specialty, letter_kind)
);

CREATE TABLE sensitive_specialties (
    trust_id uuid NOT NULL REFERENCES trusts,
    specialty text NOT NULL,
    PRIMARY KEY (trust_id, specialty)
);

CREATE TABLE trust_api_keys (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    label text NOT NULL,
    key_sha256 bytea NOT NULL UNIQUE CHECK (length(key_sha256) = 32),
    created_at timestamptz NOT NULL DEFAULT app_now(),
    revoked_at timestamptz
);

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('person', 'staff')),
    display_name text NOT NULL,
    email text,
    email_verified_at timestamptz,
    mobile text,
    mobile_verified_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    closed_at timestamptz
);
CREATE UNIQUE INDEX accounts_email ON accounts (lower(email)) WHERE closed_at IS NULL AND email IS NOT NULL;

-- How an account proves who it is: never by email, always by (issuer, subject).
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    PRIMARY KEY (issuer, subject)
);

CREATE TABLE staff_roles (
    account_id uuid NOT NULL REFERENCES accounts,
    trust_id uuid NOT NULL REFERENCES trusts,
    role text NOT NULL CHECK (role IN ('booking_clerk', 'manager', 'information_governance')),
    PRIMARY KEY (account_id, trust_id, role)
);

-- A patient is a mailbox: `head_seq` is its last event, taken under this row's lock; gapless.
CREATE TABLE patients (
    id uuid PRIMARY KEY,
    nhs_number text NOT NULL UNIQUE CHECK (nhs_number ~ '^[0-9]{10}$'),
    given_name text NOT NULL,
    family_name text NOT NULL,
    birth_date date NOT NULL,
    address_lines text[] NOT NULL CHECK (cardinality(address_lines) BETWEEN 0 AND 7),
    phone text,
    format_need text CHECK (format_need IN ('large_print', 'braille', 'audio', 'easy_read')),
    deceased_at date,
    head_seq bigint NOT NULL DEFAULT 0,
    grants_version bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT app_now()
) WITH (fillfactor = 80);

-- What a trust last told us about a patient: a rising version per trust (idempotent PUT).
CREATE TABLE patient_sources (
    trust_id uuid NOT NULL REFERENCES trusts,
    source_id text NOT NULL CHECK (length(source_id) BETWEEN 1 AND 64),
    patient_id uuid NOT NULL REFERENCES patients,
    source_version bigint NOT NULL,
    body_sha256 bytea NOT NULL,
    answer jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT app_now(),
    PRIMARY KEY (trust_id, source_id)
);
CREATE INDEX patient_sources_patient ON patient_sources (patient_id);

CREATE TABLE memberships (
    patient_id uuid PRIMARY KEY REFERENCES patients,
    account_id uuid NOT NULL UNIQUE REFERENCES accounts,
    joined_at timestamptz NOT NULL,
    paper_since timestamptz,               -- "Always post my letters"
    left_at timestamptz
);

CREATE TABLE grants (
    id uuid PRIMARY KEY,
    patient_id uuid NOT NULL REFERENCES patients,
    carer_account_id uuid NOT NULL REFERENCES accounts,
    relationship text NOT NULL,
    ticks text[] NOT NULL,
    may_read_for_me boolean NOT NULL DEFAULT false,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    revoked_at timestamptz,
    revocation_committed_by timestamptz, -- read after the commit: a node that compared later has seen it
    UNIQUE (patient_id, carer_account_id)
);
CREATE INDEX grants_carer ON grants (carer_account_id) WHERE revoked_at IS NULL;

-- A signed-in browser. The cookie's value is never stored, only its hash.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    token_sha256 bytea NOT NULL UNIQUE,
    account_id uuid NOT NULL REFERENCES accounts,
    csrf_secret bytea NOT NULL,
    public_computer boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    last_seen_at timestamptz NOT NULL DEFAULT app_now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX sessions_account ON sessions (account_id) WHERE ended_at IS NULL;
-- Every node asks each second which sessions ended lately, to close their sockets.
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Lost in a crash on purpose: a ticket lives thirty seconds, the browser asks for another.
CREATE UNLOGGED TABLE live_tickets (
    ticket_sha256 bytea PRIMARY KEY,
    session_id uuid NOT NULL,
    account_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);

-- Every server process: `polled_from` is when its last completed comparison of heads and grants began.
CREATE TABLE nodes (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT app_now(),
    heartbeat_at timestamptz NOT NULL DEFAULT app_now(),
    polled_from timestamptz,
    stopped_at timestamptz
);
