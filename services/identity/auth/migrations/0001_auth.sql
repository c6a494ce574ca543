-- Until tenants are a domain of their own, a tenant is a name here.
CREATE TABLE tenants (
    tenant_id   UUID        NOT NULL PRIMARY KEY,
    name        TEXT        NOT NULL,
    create_time TIMESTAMPTZ NOT NULL
);

-- One account is one person in one tenant. The address is unique over the installation, because a login names no tenant.
CREATE TABLE users (
    tenant_id     UUID        NOT NULL,
    id            UUID        NOT NULL,
    email         TEXT        NOT NULL,
    password_hash TEXT        NOT NULL,
    role          TEXT        NOT NULL,
    epoch         BIGINT      NOT NULL,
    create_time   TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);
CREATE UNIQUE INDEX users_by_email ON users (email);
CREATE INDEX users_by_role ON users (tenant_id, role);

-- A session is a family of refresh tokens, of which one is live. Only digests of tokens are kept.
CREATE TABLE sessions (
    tenant_id   UUID        NOT NULL,
    id          UUID        NOT NULL,
    user_id     UUID        NOT NULL,
    family_hash BYTEA       NOT NULL,
    secret_hash BYTEA       NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    expire_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX sessions_by_family ON sessions (family_hash);
CREATE INDEX sessions_by_user ON sessions (tenant_id, user_id);
CREATE INDEX sessions_by_expiry ON sessions (expire_time);

-- The tokens of a session that were replaced moments ago, and what leads from each to its successor.
CREATE TABLE replaced_tokens (
    tenant_id    UUID        NOT NULL,
    session_id   UUID        NOT NULL,
    secret_hash  BYTEA       NOT NULL,
    nonce        BYTEA       NOT NULL,
    replace_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, session_id, secret_hash),
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);

-- Sessions that ended before their access tokens expired. The position is the time of the end in microseconds.
CREATE TABLE revocations (
    tenant_id   UUID        NOT NULL,
    session_id  UUID        NOT NULL,
    position    BIGINT      NOT NULL,
    expire_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, session_id)
);
CREATE INDEX revocations_by_position ON revocations (position);
CREATE INDEX revocations_by_expiry ON revocations (expire_time);

-- The keys that sign access tokens. They belong to the installation.
CREATE TABLE signing_keys (
    number    BIGINT      NOT NULL PRIMARY KEY,
    seed      BYTEA       NOT NULL,
    sign_from TIMESTAMPTZ NOT NULL
);
