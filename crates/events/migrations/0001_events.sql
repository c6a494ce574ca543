-- What relays and consumers of events remember, in the database of the domain that they work for.

-- Who works: one process at a time. No tenant: system scope only.
CREATE TABLE weft_event_lease (
    -- 'relay' or 'consumer'.
    name TEXT NOT NULL PRIMARY KEY,
    holder UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

-- How often the work has changed hands. A table of its own, because every handling reads it and the lease above is
-- renewed all the time.
CREATE TABLE weft_event_fence (
    name TEXT NOT NULL PRIMARY KEY,
    fence BIGINT NOT NULL
);

-- How far the relay is in the log.
CREATE TABLE weft_event_relay (
    name TEXT NOT NULL PRIMARY KEY,
    fence BIGINT NOT NULL,
    -- The last place that was given.
    last_position BIGINT NOT NULL,
    -- The last event that the carrier has.
    sent_position BIGINT NOT NULL
);

-- Events whose effects are made, so that none is made twice.
CREATE TABLE weft_event_handled (
    tenant_id UUID NOT NULL,
    event_id UUID NOT NULL,
    handled_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);

CREATE INDEX weft_event_handled_at ON weft_event_handled (handled_at);

-- Events that could not be handled yet, and those behind them of the same key.
CREATE TABLE weft_event_deferred (
    tenant_id UUID NOT NULL,
    event_id UUID NOT NULL,
    -- The domain that published it, and its place in that domain's log.
    source TEXT NOT NULL,
    position BIGINT NOT NULL,
    event_key TEXT NOT NULL,
    topic TEXT NOT NULL,
    -- A CloudEvent in JSON.
    envelope TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    -- Nobody tries again until somebody says so.
    parked BOOLEAN NOT NULL,
    error TEXT NOT NULL,
    deferred_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);

CREATE INDEX weft_event_deferred_key ON weft_event_deferred (tenant_id, source, event_key, position);
CREATE INDEX weft_event_deferred_due ON weft_event_deferred (due_at) WHERE NOT parked;
