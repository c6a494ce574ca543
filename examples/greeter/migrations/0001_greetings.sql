CREATE TABLE greetings (tenant_id UUID NOT NULL, id UUID NOT NULL, text TEXT NOT NULL, PRIMARY KEY (tenant_id, id));
