-- migrate:up

-- A tenant's rules on which agent a conversation goes to (domain/routing.py); no row is no rules.
CREATE TABLE routing (
    tenant_id  uuid        NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    revision   integer     NOT NULL DEFAULT 1,
    rules      jsonb       NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE routing ENABLE ROW LEVEL SECURITY;
ALTER TABLE routing FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON routing TO tenantry_app, tenantry_operator
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON routing TO tenantry_app;

-- What a contact's sides in A/B tests follow from, for as long as there is the contact: the keyed hash of the identity
-- that it was first met by or, where nothing identified it, random bytes.
ALTER TABLE contacts ADD COLUMN split_key bytea NOT NULL DEFAULT uuid_send(gen_random_uuid());
-- No policy is for the owner, so that it sees rows only where row-level security is not forced upon it.
ALTER TABLE contacts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE contact_identities NO FORCE ROW LEVEL SECURITY;
UPDATE contacts c SET split_key = first.hash
    FROM (SELECT DISTINCT ON (tenant_id, contact_id) tenant_id, contact_id, hash FROM contact_identities
          ORDER BY tenant_id, contact_id, created_at, array_position('{external,email,phone,conversation}', kind)) first
    WHERE first.tenant_id = c.tenant_id AND first.contact_id = c.id;
ALTER TABLE contacts FORCE ROW LEVEL SECURITY;
ALTER TABLE contact_identities FORCE ROW LEVEL SECURITY;

-- `routing` is how the conversation found its agent (domain/routing.py: Routed); NULL where it began before there was
-- routing. `hand_offs` counts how often it was handed over from one agent to another.
ALTER TABLE conversations
    ADD COLUMN routing   jsonb,
    ADD COLUMN hand_offs integer NOT NULL DEFAULT 0;
CREATE INDEX conversations_by_variant ON conversations (tenant_id, (routing ->> 'rule'), created_at)
    WHERE routing ->> 'variant' IS NOT NULL;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
