CREATE TABLE IF NOT EXISTS tasker_queues (
    name TEXT PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
