-- What steps leave behind: one row a key, as a domain keeps that is called with one.
CREATE TABLE effects (
    tenant_id UUID NOT NULL,
    idempotency_key TEXT NOT NULL,
    step TEXT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, idempotency_key)
);
