-- What happened, kept for a time.

CREATE TABLE events (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    topic TEXT NOT NULL,
    -- A CloudEvent in JSON.
    envelope TEXT NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    -- The transaction that wrote it. On SQLite, where writers take turns, a number of its own.
    transaction_id BIGINT NOT NULL,
    -- NULL until nothing can come before it any more.
    position BIGINT,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX events_unsettled ON events (transaction_id, id) WHERE position IS NULL;
CREATE UNIQUE INDEX events_position ON events (position) WHERE position IS NOT NULL;
CREATE INDEX events_of_tenant ON events (tenant_id, position) WHERE position IS NOT NULL;
CREATE INDEX events_recorded_at ON events (recorded_at);

-- The last place that was given. No tenant: system scope only.
CREATE TABLE last_place (
    name TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
