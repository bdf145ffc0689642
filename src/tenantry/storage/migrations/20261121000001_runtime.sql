-- migrate:up

-- Every tenant table: tenant-first keys, row-level security enabled and forced, one policy for the application role.
-- The setting app.tenant_id is made inside the transaction by storage/tenancy.py; unset or '' means no rows.

CREATE TABLE tenants (
    id              uuid        NOT NULL PRIMARY KEY,
    slug            text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name            text        NOT NULL,
    time_zone       text        NOT NULL DEFAULT 'UTC',
    allowed_models  text[]      NOT NULL DEFAULT '{form-policy}',
    active_agent_id uuid,
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- A person, who may be a member of several tenants. Written by the operator alone; a tenant sees its own members.
CREATE TABLE users (
    id         uuid        NOT NULL PRIMARY KEY,
    email      text        NOT NULL UNIQUE CHECK (email = lower(email)),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE members (
    tenant_id    uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL REFERENCES users (id),
    role         text        NOT NULL CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    display_name text        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    removed_at   timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, user_id)
);

CREATE TABLE api_keys (
    tenant_id  uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    member_id  uuid,
    name       text        NOT NULL,
    key_hash   bytea       NOT NULL CHECK (length(key_hash) = 32),
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, key_hash),
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE agents (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    owner_member_id uuid,
    revision        integer     NOT NULL DEFAULT 1,
    name            text        NOT NULL GENERATED ALWAYS AS (definition ->> 'name') STORED,
    definition      jsonb       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_member_id) REFERENCES members (tenant_id, id)
);
CREATE INDEX agents_by_owner ON agents (tenant_id, owner_member_id, id) WHERE deleted_at IS NULL;

ALTER TABLE tenants ADD FOREIGN KEY (id, active_agent_id) REFERENCES agents (tenant_id, id)
    ON DELETE SET NULL (active_agent_id);

CREATE TABLE contacts (
    tenant_id  uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);

-- The hash is keyed and of the tenant (credentials/contact_hash.py): it names nobody to who reads the table.
CREATE TABLE contact_identities (
    tenant_id  uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('external', 'email', 'phone', 'conversation')),
    hash       bytea       NOT NULL CHECK (length(hash) = 32),
    contact_id uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, hash),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX contact_identities_by_contact ON contact_identities (tenant_id, contact_id);

CREATE TABLE conversations (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    agent_id        uuid        NOT NULL,
    owner_member_id uuid,
    contact_id      uuid        NOT NULL,
    channel         text        NOT NULL,
    external_id     text,
    topic           text,
    known           jsonb       NOT NULL DEFAULT '{}',
    policy_state    jsonb       NOT NULL DEFAULT '{}',
    last_turn       integer     NOT NULL DEFAULT 0,
    last_event      bigint      NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, contact_id, agent_id, external_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_member_id) REFERENCES members (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX conversations_by_owner ON conversations (tenant_id, owner_member_id, id);

-- One inbound message and what came of it. An unfinished turn is driven by the process that holds its lease.
CREATE TABLE turns (
    tenant_id         uuid        NOT NULL,
    id                uuid        NOT NULL,
    conversation_id   uuid        NOT NULL,
    number            integer     NOT NULL,
    status            text        NOT NULL CHECK (status IN ('queued', 'running', 'done')),
    idempotency_scope uuid        NOT NULL,
    idempotency_key   text,
    request_hash      bytea       NOT NULL CHECK (length(request_hash) = 32),
    model             text        NOT NULL,
    attempts          integer     NOT NULL DEFAULT 0,
    lease_id          uuid,
    lease_expires_at  timestamptz NOT NULL,
    result            jsonb,
    received_at       timestamptz NOT NULL DEFAULT now(),
    finished_at       timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, conversation_id, number),
    UNIQUE (tenant_id, idempotency_scope, idempotency_key),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX turns_one_running ON turns (tenant_id, conversation_id) WHERE status = 'running';
CREATE INDEX turns_unfinished ON turns (lease_expires_at) WHERE status IN ('queued', 'running');

-- Number 2n-1 is the contact's message of turn n, number 2n the agent's reply to it.
CREATE TABLE messages (
    tenant_id       uuid        NOT NULL,
    conversation_id uuid        NOT NULL,
    number          integer     NOT NULL,
    turn_id         uuid        NOT NULL,
    role            text        NOT NULL CHECK (role IN ('contact', 'agent')),
    content         text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, conversation_id, number),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX messages_by_turn ON messages (tenant_id, turn_id);

CREATE TABLE events (
    tenant_id       uuid        NOT NULL,
    conversation_id uuid        NOT NULL,
    seq             bigint      NOT NULL,
    turn_id         uuid        NOT NULL,
    type            text        NOT NULL,
    data            jsonb       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, conversation_id, seq),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX events_by_turn ON events (tenant_id, turn_id);

-- A call is claimed here before its effect is made; (turn, step) is its name in the outside world too.
CREATE TABLE tool_calls (
    tenant_id   uuid        NOT NULL,
    turn_id     uuid        NOT NULL,
    step        integer     NOT NULL,
    name        text        NOT NULL,
    arguments   jsonb       NOT NULL,
    status      text        NOT NULL CHECK (status IN ('claimed', 'done')),
    output      jsonb,
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, turn_id, step),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE calendars (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    owner_member_id uuid,
    provider        text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, owner_member_id, provider),
    FOREIGN KEY (tenant_id, owner_member_id) REFERENCES members (tenant_id, id)
);

-- `blocked` is the appointment and the buffer after it; no two live bookings of a calendar overlap in it.
CREATE TABLE bookings (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    calendar_id     uuid        NOT NULL,
    agent_id        uuid        NOT NULL,
    contact_id      uuid        NOT NULL,
    conversation_id uuid        NOT NULL,
    effect_key      text        NOT NULL,
    status          text        NOT NULL CHECK (status IN ('held', 'confirmed', 'cancelled', 'expired')),
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL CHECK (ends_at > starts_at),
    blocked         tstzrange   NOT NULL CHECK (
        NOT isempty(blocked) AND lower_inc(blocked) AND NOT upper_inc(blocked)
        AND lower(blocked) = starts_at AND upper(blocked) >= ends_at
    ),
    time_zone       text        NOT NULL,
    hold_expires_at timestamptz,
    title           text        NOT NULL,
    details         jsonb       NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, effect_key),
    CHECK ((status = 'held') = (hold_expires_at IS NOT NULL)),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT bookings_no_overlap EXCLUDE USING gist (tenant_id WITH =, calendar_id WITH =, blocked WITH &&)
        WHERE (status IN ('held', 'confirmed'))
);
CREATE INDEX bookings_by_calendar ON bookings (tenant_id, calendar_id, starts_at);
CREATE INDEX bookings_by_contact ON bookings (tenant_id, contact_id, starts_at);

CREATE TABLE audit_log (
    tenant_id uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id        uuid        NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text        NOT NULL,
    action    text        NOT NULL,
    target    text        NOT NULL,
    details   jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['members', 'api_keys', 'agents', 'contacts', 'contact_identities', 'conversations',
        'turns', 'messages', 'events', 'tool_calls', 'calendars', 'bookings', 'audit_log']
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

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON tenants TO tenantry_app
    USING (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
CREATE POLICY operator_all ON tenants TO tenantry_operator USING (true) WITH CHECK (true);

ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON users FOR SELECT TO tenantry_app
    USING (EXISTS (
        SELECT FROM members
        WHERE members.user_id = users.id
          AND members.tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)
    ));
CREATE POLICY operator_all ON users TO tenantry_operator USING (true) WITH CHECK (true);

-- The operator's process finds the turns that a killed process left, whoever's they are; it then acts as their tenant.
CREATE POLICY operator_finds_unfinished ON turns FOR SELECT TO tenantry_operator
    USING (status IN ('queued', 'running'));

-- The application reads and writes rows; who belongs to a tenant and what was audited it may not rewrite.
GRANT SELECT ON tenants, users, members TO tenantry_app;
GRANT UPDATE (active_agent_id) ON tenants TO tenantry_app;
GRANT SELECT, INSERT ON audit_log TO tenantry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON api_keys, agents, contacts, contact_identities, conversations, turns, messages,
    events, tool_calls, calendars, bookings TO tenantry_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, users, members, api_keys TO tenantry_operator;
GRANT SELECT ON turns TO tenantry_operator;
GRANT SELECT, INSERT ON agents, audit_log TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
