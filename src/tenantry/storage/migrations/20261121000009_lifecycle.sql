-- migrate:up

-- `seen_active_at` is a moment at which the row was in use, not always the newest: for contacts what has happened since
-- is looked up when the moment has become old (repositories/lifecycle.py), so that a turn writes nothing here.
ALTER TABLE contacts
    ADD COLUMN tags           text[]      NOT NULL DEFAULT '{}',
    ADD COLUMN archived_at    timestamptz,
    ADD COLUMN seen_active_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE contacts NO FORCE ROW LEVEL SECURITY;
UPDATE contacts SET seen_active_at = created_at;
ALTER TABLE contacts FORCE ROW LEVEL SECURITY;
CREATE INDEX contacts_in_use ON contacts (tenant_id, seen_active_at) WHERE archived_at IS NULL;
CREATE INDEX contacts_archived ON contacts (tenant_id, seen_active_at) WHERE archived_at IS NOT NULL;
CREATE INDEX contacts_by_tag ON contacts USING gin (tags) WHERE tags <> '{}';

-- An agent may have very many conversations: here the first message of a day moves `seen_active_at`.
ALTER TABLE agents
    ADD COLUMN archived_at    timestamptz,
    ADD COLUMN seen_active_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX agents_in_use ON agents (tenant_id, seen_active_at) WHERE deleted_at IS NULL AND archived_at IS NULL;
CREATE INDEX agents_archived ON agents (tenant_id, seen_active_at) WHERE deleted_at IS NULL AND archived_at IS NOT NULL;
GRANT UPDATE (archived_at, seen_active_at) ON agents TO tenantry_operator;

-- After how many days without use contacts and agents are archived, and then deleted; NULL is never. What is deleted was
-- archived before.
ALTER TABLE tenants
    ADD COLUMN contacts_archive_days integer CHECK (contacts_archive_days BETWEEN 1 AND 36500),
    ADD COLUMN contacts_delete_days  integer,
    ADD COLUMN agents_archive_days   integer CHECK (agents_archive_days BETWEEN 1 AND 36500),
    ADD COLUMN agents_delete_days    integer,
    ADD CHECK (contacts_delete_days IS NULL OR coalesce(
        contacts_delete_days BETWEEN contacts_archive_days AND 36500, false)),
    ADD CHECK (agents_delete_days IS NULL OR coalesce(agents_delete_days BETWEEN agents_archive_days AND 36500, false));
GRANT UPDATE (contacts_archive_days, contacts_delete_days, agents_archive_days, agents_delete_days) ON tenants
    TO tenantry_app;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
