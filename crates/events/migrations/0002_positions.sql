-- How far the domain's consumer has come in logs that a carrier keeps. No tenant: system scope only.
CREATE TABLE weft_event_position (
    -- The carrier and its log: 'nats weft-events-orders'.
    log TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
