-- The picture of an account. Its bytes are a blob that belongs to the person; this says which, and what it is.
CREATE TABLE avatars (
    tenant_id   UUID        NOT NULL,
    user_id     UUID        NOT NULL,
    blob_id     UUID        NOT NULL,
    media_type  TEXT        NOT NULL,
    size        BIGINT      NOT NULL,
    sha256      BYTEA       NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
