-- The jobs of a domain: when each is due, and who runs it. No tenant: system scope only.
CREATE TABLE weft_job (
    name TEXT NOT NULL PRIMARY KEY,
    -- By which due_at was reckoned: a release that changes it reckons anew.
    schedule TEXT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    -- Until this time nobody else runs it.
    leased_until TIMESTAMPTZ NOT NULL,
    -- The run that has the lease, or had it last.
    run_id UUID NOT NULL
);
