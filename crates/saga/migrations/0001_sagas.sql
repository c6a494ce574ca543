-- Changes over several domains that a domain conducts.
CREATE TABLE weft_saga (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    -- Which definition it follows: 'checkout'.
    name TEXT NOT NULL,
    -- 'running', 'undoing', 'done', 'undone' or 'stuck'.
    state TEXT NOT NULL,
    -- How many of its steps are done; while it is undone, how many are still to be undone.
    position BIGINT NOT NULL,
    -- What it works on, in JSON, as the last step left it.
    data TEXT NOT NULL,
    -- Attempts of the step that it is at, and what became of the last one.
    attempts BIGINT NOT NULL,
    error TEXT NOT NULL,
    -- For whom, and under which request id.
    on_behalf_of TEXT NOT NULL,
    request_id TEXT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX weft_saga_due ON weft_saga (due_at) WHERE state = 'running' OR state = 'undoing';
CREATE INDEX weft_saga_listed ON weft_saga (create_time, id);
