-- The changes of the domain that publishes, and the effects in the domain that handles, each step of a key numbered.
CREATE TABLE steps (
    tenant_id UUID NOT NULL,
    event_key TEXT NOT NULL,
    -- Its place among the steps of its key.
    number BIGINT NOT NULL,
    -- What the event says that its number is.
    said BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event_key, number)
);
