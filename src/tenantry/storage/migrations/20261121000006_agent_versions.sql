-- migrate:up

-- `definition` is the draft, `revision` counts its changes. `published` is the number of the version that answers and
-- `published_revision` the draft that it was made of; NULL while nothing was published.
ALTER TABLE agents
    ADD COLUMN published          integer,
    ADD COLUMN published_revision integer,
    ADD COLUMN tags               text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN is_template        boolean NOT NULL DEFAULT false,
    ADD CHECK ((published IS NULL) = (published_revision IS NULL)),
    ADD CHECK (NOT is_template OR owner_member_id IS NULL);
CREATE INDEX agents_by_tag ON agents USING gin (tags) WHERE deleted_at IS NULL;
CREATE INDEX agents_by_name ON agents (tenant_id, name) WHERE deleted_at IS NULL;

-- What an agent was at each publication; never changed. `restores` is the version that a roll-back brought back.
CREATE TABLE agent_versions (
    tenant_id    uuid        NOT NULL,
    agent_id     uuid        NOT NULL,
    number       integer     NOT NULL CHECK (number > 0),
    definition   jsonb       NOT NULL,
    note         text        NOT NULL DEFAULT '' CHECK (char_length(note) <= 1000),
    restores     integer,
    published_by text        NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, agent_id, number),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, agent_id, restores) REFERENCES agent_versions (tenant_id, agent_id, number)
);
-- Row-level security, forced, would hide all rows from the owner too.
ALTER TABLE agents NO FORCE ROW LEVEL SECURITY;
INSERT INTO agent_versions (tenant_id, agent_id, number, definition, published_by, published_at)
    SELECT tenant_id, id, 1, definition, 'operator:migration', updated_at FROM agents;
UPDATE agents SET published = 1, published_revision = revision;
ALTER TABLE agents FORCE ROW LEVEL SECURITY;

-- Where a clone comes from: an agent of the tenant or a built-in template, and what it was when the clone last took it.
CREATE TABLE agent_origins (
    tenant_id         uuid    NOT NULL,
    agent_id          uuid    NOT NULL,
    template_agent_id uuid,
    built_in          text,
    version           integer NOT NULL,
    definition        jsonb   NOT NULL,
    PRIMARY KEY (tenant_id, agent_id),
    CHECK ((template_agent_id IS NULL) <> (built_in IS NULL)),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, template_agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX agent_origins_by_template ON agent_origins (tenant_id, template_agent_id)
    WHERE template_agent_id IS NOT NULL;

-- Who, besides its owner, may use an agent of a member, or change it too.
CREATE TABLE agent_shares (
    tenant_id  uuid        NOT NULL,
    agent_id   uuid        NOT NULL,
    member_id  uuid        NOT NULL,
    permission text        NOT NULL CHECK (permission IN ('use', 'edit')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, agent_id, member_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX agent_shares_by_member ON agent_shares (tenant_id, member_id);

-- A contact's own instance of an agent: nothing but what differs from the agent, as a patch (domain/definition_patch.py).
CREATE TABLE personal_agents (
    tenant_id  uuid        NOT NULL,
    agent_id   uuid        NOT NULL,
    contact_id uuid        NOT NULL,
    revision   integer     NOT NULL DEFAULT 1,
    changes    jsonb       NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, agent_id, contact_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX personal_agents_by_contact ON personal_agents (tenant_id, contact_id);

-- `version` is the one that the conversation stays with; NULL follows what is published. `first_agent_id` is the agent
-- that it was begun with, by which callers go on finding it after it was handed over.
ALTER TABLE conversations
    ADD COLUMN version        integer,
    ADD COLUMN first_agent_id uuid,
    DROP CONSTRAINT conversations_tenant_id_contact_id_agent_id_external_id_key;
ALTER TABLE conversations NO FORCE ROW LEVEL SECURITY;
UPDATE conversations SET first_agent_id = agent_id;
ALTER TABLE conversations FORCE ROW LEVEL SECURITY;
ALTER TABLE conversations
    ALTER COLUMN first_agent_id SET NOT NULL,
    ADD UNIQUE (tenant_id, contact_id, first_agent_id, external_id),
    ADD FOREIGN KEY (tenant_id, first_agent_id) REFERENCES agents (tenant_id, id),
    ADD FOREIGN KEY (tenant_id, agent_id, version) REFERENCES agent_versions (tenant_id, agent_id, number);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['agent_versions', 'agent_origins', 'agent_shares', 'personal_agents']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON %I TO tenantry_app, tenantry_operator '
            'USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid)) '
            'WITH CHECK (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))', name);
    END LOOP;
END
$$;

-- A version is written once.
GRANT SELECT, INSERT ON agent_versions TO tenantry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_origins, agent_shares, personal_agents TO tenantry_app;
GRANT SELECT, INSERT ON agent_versions, agent_origins TO tenantry_operator;
GRANT UPDATE (published, published_revision) ON agents TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
