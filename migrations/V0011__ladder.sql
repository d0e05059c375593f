-- Cases that are claimed again and again and never finished: counted here, so that a person takes over.

-- One row per case that was overdue and in somebody's hands when it was looked for; it leaves with the next step.
CREATE TABLE unfinished_cases (
    case_id uuid PRIMARY KEY REFERENCES cases,
    due_at timestamptz NOT NULL,           -- as the case's: another one means that it has gone on
    fence bigint NOT NULL,                 -- the case's at first sight; the difference counts claims since
    noted_at timestamptz NOT NULL DEFAULT app_now()
);
GRANT SELECT, INSERT, UPDATE, DELETE ON unfinished_cases TO letterbox_app;
