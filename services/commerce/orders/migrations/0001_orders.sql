-- Orders and their lines.

CREATE TABLE orders (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    customer_id UUID NOT NULL,
    -- 'placed' or 'cancelled'.
    state TEXT NOT NULL,
    -- Of all prices and totals of the order.
    currency_code TEXT NOT NULL,
    total BIGINT NOT NULL CHECK (total >= 0),
    note TEXT NOT NULL,
    create_time TIMESTAMPTZ NOT NULL,
    update_time TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX orders_by_create_time ON orders (tenant_id, create_time, id);
CREATE INDEX orders_by_customer ON orders (tenant_id, customer_id, create_time, id);

CREATE TABLE lines (
    tenant_id UUID NOT NULL,
    order_id UUID NOT NULL,
    -- Its place in the order, from 0.
    position BIGINT NOT NULL,
    variant_id UUID NOT NULL,
    product_id UUID NOT NULL,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    unit_price BIGINT NOT NULL CHECK (unit_price >= 0),
    total BIGINT NOT NULL CHECK (total >= 0),
    PRIMARY KEY (tenant_id, order_id, position),
    UNIQUE (tenant_id, order_id, variant_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
