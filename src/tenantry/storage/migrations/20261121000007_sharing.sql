-- migrate:up

-- A member whom an agent is shared with begins conversations of their own with it, under external ids of their own:
-- `opened_by` is that member, NULL where the owner, the tenant or who acts for it began it.
ALTER TABLE conversations
    ADD COLUMN opened_by uuid,
    DROP CONSTRAINT conversations_tenant_id_contact_id_first_agent_id_external__key,
    ADD FOREIGN KEY (tenant_id, opened_by) REFERENCES members (tenant_id, id);
CREATE UNIQUE INDEX conversations_by_external_id ON conversations
    (tenant_id, contact_id, first_agent_id, external_id, coalesce(opened_by, '00000000-0000-0000-0000-000000000000'));
CREATE INDEX conversations_by_opener ON conversations (tenant_id, opened_by, id) WHERE opened_by IS NOT NULL;

-- Built-in templates have no versions: what a clone took of one is its definition alone.
ALTER TABLE agent_origins
    ALTER COLUMN version DROP NOT NULL,
    ADD CHECK (template_agent_id IS NULL OR version IS NOT NULL);
CREATE INDEX agent_origins_by_built_in ON agent_origins (tenant_id, built_in) WHERE built_in IS NOT NULL;

-- When a member leaves, the operator hands over their agents, and removes what was shared with them and their secrets.
GRANT UPDATE (owner_member_id, updated_at) ON agents TO tenantry_operator;
GRANT SELECT, DELETE ON agent_shares TO tenantry_operator;
GRANT SELECT (tenant_id, id, owner_member_id, name), DELETE ON secrets TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
