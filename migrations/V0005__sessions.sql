-- Sessions: when their holder last proved who they are, and what kind of browser it was, in coarse words only.

-- Before a sensitive change the holder proves again who they are; signing in is a proof too.
ALTER TABLE sessions ADD COLUMN authenticated_at timestamptz NOT NULL DEFAULT app_now();

-- "Chrome on Windows": shown to the holder in the list of signed-in devices. Nothing finer is kept.
ALTER TABLE sessions ADD COLUMN browser text NOT NULL DEFAULT 'Unknown browser' CHECK (length(browser) <= 60);

-- How the list of devices and "end all others" find an account's sessions, newest use first.
DROP INDEX sessions_account;
CREATE INDEX sessions_account ON sessions (account_id, last_seen_at DESC) WHERE ended_at IS NULL;
