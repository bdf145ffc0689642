-- migrate:up

-- Raised in the same transaction by every change of what processes keep of a tenant's settings.
ALTER TABLE tenants ADD COLUMN settings_stamp bigint NOT NULL DEFAULT 0;

-- The tenant's own language models. `sealed_key` can be opened by the installation's master key alone, for this row of
-- this tenant; `key_hint` is the end of the key. `models` is a list of {name, model, input_price, output_price}.
CREATE TABLE providers (
    tenant_id   uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    base_url    text        NOT NULL,
    answer_mode text        NOT NULL DEFAULT 'json_schema' CHECK (answer_mode IN ('json_schema', 'tool', 'prompt')),
    models      jsonb       NOT NULL DEFAULT '[]',
    timeouts    jsonb       NOT NULL DEFAULT '{}',
    sealed_key  bytea,
    key_hint    text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);

-- What calls to services are sent with: a member's own or, with no owner, the tenant's.
CREATE TABLE secrets (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    owner_member_id uuid,
    name            text        NOT NULL,
    sealed          bytea       NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, owner_member_id, name),
    FOREIGN KEY (tenant_id, owner_member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['providers', 'secrets']
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

GRANT UPDATE (settings_stamp) ON tenants TO tenantry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON providers, secrets TO tenantry_app;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
