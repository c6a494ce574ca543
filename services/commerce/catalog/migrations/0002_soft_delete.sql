-- Products that are deleted and not purged yet.

-- Both are null as long as the product is not deleted.
ALTER TABLE products ADD COLUMN delete_time TIMESTAMPTZ;
ALTER TABLE products ADD COLUMN purge_time TIMESTAMPTZ;

CREATE INDEX products_by_update_time ON products (tenant_id, update_time, id);
CREATE INDEX products_by_purge_time ON products (purge_time) WHERE purge_time IS NOT NULL;

-- The variants of deleted products: their stock-keeping units are free for others.
CREATE TABLE deleted_variants (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    product_id UUID NOT NULL,
    position BIGINT NOT NULL,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    currency_code TEXT NOT NULL,
    minor_units BIGINT NOT NULL CHECK (minor_units >= 0),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, product_id, position),
    FOREIGN KEY (tenant_id, product_id) REFERENCES products (tenant_id, id)
);
