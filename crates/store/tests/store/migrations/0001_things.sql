CREATE TABLE things (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity >= 0),
    active BOOLEAN NOT NULL,
    meta JSONB NOT NULL,
    payload BYTEA NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    gone_at TIMESTAMPTZ,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
