-- Events of the domain: written by the transaction that caused them, sent by a relay, kept for a time as a log.

CREATE TABLE weft_outbox (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL PRIMARY KEY,
    topic TEXT NOT NULL,
    event_key TEXT NOT NULL,
    -- The full protobuf name of the message, and the message.
    message TEXT NOT NULL,
    data BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    request_id TEXT NOT NULL,
    -- The event whose handling published this one.
    causation_id UUID,
    traceparent TEXT NOT NULL,
    tracestate TEXT NOT NULL,
    -- The transaction that wrote it, and its place there. On SQLite, where writers take turns, a number of its own.
    transaction_id BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    -- Its place in the log. NULL until the relay has seen that nothing can come before it any more.
    position BIGINT
);

CREATE INDEX weft_outbox_unsettled ON weft_outbox (transaction_id, ordinal) WHERE position IS NULL;
CREATE UNIQUE INDEX weft_outbox_position ON weft_outbox (position) WHERE position IS NOT NULL;
