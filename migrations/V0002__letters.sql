-- Letters, documents, appointments; what happened (events, history, audit); what could not be taken in.

CREATE TABLE documents (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    pages integer NOT NULL CHECK (pages > 0),
    size_bytes integer NOT NULL CHECK (size_bytes > 0),
    content bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT app_now(),
    UNIQUE (trust_id, sha256)
);
ALTER TABLE documents ALTER COLUMN content SET STORAGE EXTERNAL; -- PDFs are compressed already

CREATE TABLE appointments (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    source_id text NOT NULL CHECK (length(source_id) BETWEEN 1 AND 64),
    patient_id uuid NOT NULL REFERENCES patients,
    source_version bigint NOT NULL,
    body_sha256 bytea NOT NULL,
    answer jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('booked', 'cancelled')),
    change integer NOT NULL DEFAULT 1,     -- rises with each publish, move or cancel that the patient must hear of
    starts_at timestamptz NOT NULL,
    minutes integer,
    specialty text NOT NULL,
    clinic text NOT NULL,
    clinic_code text,                      -- names one session of a clinic, for "Cancel a clinic"
    location text NOT NULL,
    contact_phone text NOT NULL,
    contact_hours text,
    instructions text,
    cancel_reason text,
    restricted boolean NOT NULL DEFAULT false,
    opened_change integer NOT NULL DEFAULT 0, -- the last change whose details the patient opened
    opened_at timestamptz,
    hidden_at timestamptz,                 -- "Hide from my circle of care"
    published_at timestamptz NOT NULL DEFAULT app_now(),
    changed_at timestamptz NOT NULL DEFAULT app_now(),
    UNIQUE (trust_id, source_id)
);
CREATE INDEX appointments_patient ON appointments (patient_id, starts_at);
CREATE INDEX appointments_clinic ON appointments (trust_id, clinic_code, starts_at) WHERE state = 'booked';

CREATE TABLE letters (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    source_id text NOT NULL CHECK (length(source_id) BETWEEN 1 AND 64),
    form_sha256 bytea NOT NULL,            -- hash of the parsed form and the document's hash
    patient_id uuid NOT NULL REFERENCES patients,
    document_id uuid NOT NULL REFERENCES documents,
    kind text NOT NULL CHECK (kind IN ('appointment', 'clinic')),
    title text NOT NULL,
    specialty text NOT NULL,
    clinic text NOT NULL,
    contact_phone text NOT NULL,
    contact_hours text,
    appointment_id uuid REFERENCES appointments,
    full_text text,
    authored_at timestamptz NOT NULL,
    release_at timestamptz,
    published_at timestamptz NOT NULL,     -- when we committed it
    state text NOT NULL CHECK (state IN ('held', 'published', 'opened', 'withdrawn', 'superseded')),
    route text NOT NULL CHECK (route IN ('portal', 'we_post', 'you_post')),
    route_reason text NOT NULL,
    restricted boolean NOT NULL DEFAULT false,
    hidden_at timestamptz,                 -- "Hide from my circle of care"
    opened_at timestamptz,
    opened_by_account_id uuid REFERENCES accounts,
    posted_at timestamptz,
    withdrawn_at timestamptz,
    withdrawn_reason text,
    replaces_id uuid REFERENCES letters,
    version integer NOT NULL DEFAULT 1,
    UNIQUE (trust_id, source_id)
) WITH (fillfactor = 85);
CREATE INDEX letters_patient ON letters (patient_id, published_at DESC);
CREATE INDEX letters_held ON letters (release_at) WHERE state = 'held';
CREATE INDEX letters_replaces ON letters (replaces_id) WHERE replaces_id IS NOT NULL;

-- For browsers: what changed in a mailbox, in order. No content, only ids, kinds and instants.
CREATE TABLE events (
    patient_id uuid NOT NULL REFERENCES patients,
    seq bigint NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    letter_id uuid REFERENCES letters,
    appointment_id uuid REFERENCES appointments,
    share text NOT NULL,
    restricted boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT app_now(),
    due_at timestamptz,
    PRIMARY KEY (patient_id, seq),
    CHECK (num_nonnulls(letter_id, appointment_id) = 1)
);

-- What a browser said it showed; never evidence of opening.
CREATE TABLE receipts (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts,
    kind text NOT NULL CHECK (kind IN ('shown')),
    device_at timestamptz,
    stored_at timestamptz NOT NULL DEFAULT app_now(),
    UNIQUE (event_id, account_id, kind)
);

-- Wake-ups still to be rung; a row is deleted once every listener could have heard it.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id uuid NOT NULL,
    seq bigint NOT NULL
);

-- Every change of state, written in the commit that makes it. Rebuilds state; never shown to browsers.
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    trust_id uuid NOT NULL,
    patient_id uuid,
    subject_kind text NOT NULL,            -- letter, appointment, case, dispatch, batch, task, grant, patient …
    subject_id uuid NOT NULL,
    kind text NOT NULL,                    -- past tense, dotted: letter.published, rung.climbed …
    at timestamptz NOT NULL DEFAULT app_now(),
    actor text NOT NULL,                   -- trust:<id>, account:<id>, node:<id>
    policy_version integer,
    facts jsonb NOT NULL DEFAULT '{}',     -- ids, codes and instants only
    sha256 bytea NOT NULL
);
-- The hash of a history row's canonical content. It depends on no session setting, so that anybody can check it;
-- STABLE only because PostgreSQL writes such a function into the statement that calls it.
CREATE FUNCTION history_sha256(
    trust_id uuid, patient_id uuid, subject_kind text, subject_id uuid, kind text, at timestamptz, actor text,
    policy_version integer, facts jsonb
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT sha256(
        uuid_send(trust_id) || coalesce('\x01' || uuid_send(patient_id), '\x00') || uuid_send(subject_id)
        || timestamptz_send(at) || coalesce('\x01' || int4send(policy_version), '\x00')
        || convert_to(subject_kind || '|' || kind || '|' || actor || '|' || facts::text, 'UTF8')) $$;
CREATE INDEX history_subject ON history (subject_id, id);
CREATE INDEX history_trust ON history (trust_id, id); -- boards ask each second whether anything is new

-- Who saw or tried what: one row before the first byte leaves.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT app_now(),
    account_id uuid,
    trust_id uuid,
    patient_id uuid,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id uuid,
    allowed boolean NOT NULL,
    request_id uuid
);
CREATE INDEX audit_patient ON audit (patient_id, at);

-- Refused input that a human must look at. Unseen, it would be a lost letter.
CREATE TABLE quarantine (
    id uuid PRIMARY KEY,
    trust_id uuid NOT NULL REFERENCES trusts,
    kind text NOT NULL CHECK (kind IN ('letter', 'appointment', 'patient', 'document')),
    source_id text,
    code text NOT NULL,
    detail text NOT NULL,                  -- what to do, without personal data
    body jsonb,                            -- as received, without the document's bytes
    created_at timestamptz NOT NULL DEFAULT app_now(),
    resolved_at timestamptz,
    resolved_by uuid
);
CREATE INDEX quarantine_open ON quarantine (trust_id, created_at) WHERE resolved_at IS NULL;
CREATE UNIQUE INDEX quarantine_once ON quarantine (trust_id, kind, source_id, code, md5(coalesce(body::text, ''))) WHERE resolved_at IS NULL;

-- A View form's nonce, once used. Rows older than the nonce's life are swept.
CREATE TABLE used_nonces (
    nonce_sha256 bytea PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT app_now()
);
