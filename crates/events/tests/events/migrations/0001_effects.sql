-- What the handlers of the tests leave behind, in the order in which they did.
CREATE TABLE effects (
    tenant_id UUID NOT NULL,
    number BIGINT NOT NULL,
    event_key TEXT NOT NULL,
    step BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, event_key, number)
);
