-- By an API key a program acts in a tenant, as a service account with the key's id. Only the key's digest is kept.
CREATE TABLE api_keys (
    tenant_id   UUID        NOT NULL,
    id          UUID        NOT NULL,
    name        TEXT        NOT NULL,
    digest      BYTEA       NOT NULL,
    role        TEXT        NOT NULL,
    creator_id  UUID        NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    expire_time TIMESTAMPTZ,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX api_keys_by_digest ON api_keys (digest);
