-- How often each work that one process at a time does has changed hands. A table of its own, because every write of the
-- work reads it, and leases are renewed all the time. No tenant: a tenant's transaction may only read it.
CREATE TABLE weft_fence (
    work TEXT NOT NULL PRIMARY KEY,
    token BIGINT NOT NULL
);
