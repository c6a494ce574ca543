-- What a list of orders can be ordered by, each behind the tenant.

CREATE INDEX orders_by_total ON orders (tenant_id, total, id);
CREATE INDEX orders_by_update_time ON orders (tenant_id, update_time, id);
