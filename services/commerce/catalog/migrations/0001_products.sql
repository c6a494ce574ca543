-- Products and the variants in which they are sold.

CREATE TABLE products (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    -- The whole name in lower case, for searching.
    search_name TEXT NOT NULL,
    -- The beginning of the name in lower case as UTF-8, for sorting: bytes compare alike under every collation.
    sort_name BYTEA NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX products_by_create_time ON products (tenant_id, create_time, id);
CREATE INDEX products_by_name ON products (tenant_id, sort_name, id);

CREATE TABLE variants (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    product_id UUID NOT NULL,
    -- Its place among the product's variants, from 0.
    position BIGINT NOT NULL,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    currency_code TEXT NOT NULL,
    minor_units BIGINT NOT NULL CHECK (minor_units >= 0),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sku),
    UNIQUE (tenant_id, product_id, position),
    FOREIGN KEY (tenant_id, product_id) REFERENCES products (tenant_id, id)
);
