CREATE INDEX things_meta ON things USING gin (meta);
