-- migrate:up

-- Web sites that open calls from browsers. The public key is no secret; what it may do is held to the site's origins.
CREATE TABLE sites (
    tenant_id  uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    public_key text        NOT NULL,
    origins    text[]      NOT NULL,
    agent_ids  uuid[]      NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, public_key)
);

-- One row for each call. `token_hash` is of the secret of the process that speaks for it, the last of `claims`.
CREATE TABLE calls (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    conversation_id uuid        NOT NULL,
    site_id         uuid,
    room            text        NOT NULL,
    participant     text        NOT NULL,
    transport       text        NOT NULL CHECK (transport IN ('livekit', 'websocket')),
    kinds           text[]      NOT NULL DEFAULT '{}',
    status          text        NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'active', 'ended')),
    recognition     text        NOT NULL DEFAULT '',
    speech          text        NOT NULL DEFAULT '',
    local           boolean,
    claims          integer     NOT NULL DEFAULT 0,
    dispatches      integer     NOT NULL DEFAULT 0,
    token_hash      bytea,
    dispatched_at   timestamptz,
    answered_at     timestamptz,
    agent_seen_at   timestamptz,
    caller_seen_at  timestamptz,
    hang_up         text,
    end_reason      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    ended_at        timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, room),
    UNIQUE (tenant_id, token_hash),
    CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE SET NULL (site_id)
);
CREATE INDEX calls_of_conversation ON calls (tenant_id, conversation_id);
CREATE INDEX calls_by_end ON calls (tenant_id, status, id);
CREATE INDEX calls_live ON calls (id) WHERE status <> 'ended';

-- What the agent said in a call, and what of it the caller heard.
CREATE TABLE utterances (
    tenant_id   uuid        NOT NULL,
    call_id     uuid        NOT NULL,
    position    integer     NOT NULL,
    turn_id     uuid,
    said        text        NOT NULL,
    heard       text        NOT NULL,
    interrupted boolean     NOT NULL,
    timings     jsonb       NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, call_id, position),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX utterances_of_turn ON utterances (tenant_id, turn_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sites', 'calls', 'utterances'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON %I TO tenantry_app, tenantry_operator '
            'USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid)) '
            'WITH CHECK (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO tenantry_app', name);
    END LOOP;
END $$;

-- The watcher finds the calls that are not over, whoever's they are, and then acts as their tenant.
CREATE POLICY operator_finds_live ON calls FOR SELECT TO tenantry_operator USING (status <> 'ended');
GRANT SELECT (tenant_id, id, status, transport, created_at) ON calls TO tenantry_operator;
GRANT SELECT, INSERT ON sites TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
