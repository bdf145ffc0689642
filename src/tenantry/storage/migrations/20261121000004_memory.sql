-- migrate:up

-- What an agent keeps in mind: for one contact or, with no contact_id, for all of them.
CREATE TABLE memory_blocks (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    agent_id    uuid        NOT NULL,
    contact_id  uuid,
    label       text        NOT NULL CHECK (label ~ '^[a-z0-9_-]{1,64}$'),
    description text        NOT NULL DEFAULT '' CHECK (char_length(description) <= 1000),
    value       text        NOT NULL DEFAULT '',
    char_limit  integer     NOT NULL DEFAULT 2000 CHECK (char_limit BETWEEN 1 AND 20000),
    revision    integer     NOT NULL DEFAULT 1,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, agent_id, contact_id, label),
    CHECK (char_length(value) <= char_limit),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_blocks_by_contact ON memory_blocks (tenant_id, contact_id) WHERE contact_id IS NOT NULL;

ALTER TABLE memory_blocks ENABLE ROW LEVEL SECURITY;
ALTER TABLE memory_blocks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON memory_blocks TO tenantry_app, tenantry_operator
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));

GRANT SELECT, INSERT, UPDATE, DELETE ON memory_blocks TO tenantry_app;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
