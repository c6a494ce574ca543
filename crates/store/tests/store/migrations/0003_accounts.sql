-- Belongs to no tenant.
CREATE TABLE accounts (
    id UUID NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE
);

CREATE TABLE notes (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    thing_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, thing_id) REFERENCES things (tenant_id, id)
);
