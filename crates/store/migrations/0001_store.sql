-- What the store keeps for itself beside the tables of a domain.

-- Inserted first by the write of a KEYED method: its twin waits here until the write has ended.
CREATE TABLE weft_idempotency_key (
    tenant_id UUID NOT NULL,
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, principal, method, idempotency_key)
);

CREATE INDEX weft_idempotency_key_created_at ON weft_idempotency_key (created_at);

-- Inserted last. A table of its own, because an update of the key's row would read an index under
-- SERIALIZABLE, and writes that have nothing in common would conflict on that index's page.
CREATE TABLE weft_idempotency_answer (
    tenant_id UUID NOT NULL,
    principal TEXT NOT NULL,
    method TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    answer BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, principal, method, idempotency_key)
);

CREATE INDEX weft_idempotency_answer_created_at ON weft_idempotency_answer (created_at);

-- Keys of this installation, such as the one that seals page tokens. No tenant: system scope only.
CREATE TABLE weft_secret (
    name TEXT NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);
