-- migrate:up

-- What each turn used of each model. Appended only, and kept when the conversation goes: a bill outlives the talk.
CREATE TABLE usage (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    turn_id         uuid        NOT NULL,
    model           text        NOT NULL,
    agent_id        uuid        NOT NULL,
    owner_member_id uuid,
    conversation_id uuid        NOT NULL,
    channel         text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    input_tokens    bigint      NOT NULL CHECK (input_tokens >= 0),
    output_tokens   bigint      NOT NULL CHECK (output_tokens >= 0),
    cached_tokens   bigint      NOT NULL CHECK (cached_tokens >= 0),
    cost_micros     bigint      NOT NULL CHECK (cost_micros >= 0),
    PRIMARY KEY (tenant_id, turn_id, model)
);
CREATE INDEX usage_by_time ON usage (tenant_id, at);

-- What the operator grants a tenant, and within it (own_…) what the tenant allows itself; the smaller of both counts.
-- NULL: the installation's default for rates, no budget for tokens and money (millionths of a US dollar).
CREATE TABLE tenant_limits (
    tenant_id               uuid    NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    contact_per_minute      integer CHECK (contact_per_minute > 0),
    member_per_minute       integer CHECK (member_per_minute > 0),
    tenant_per_minute       integer CHECK (tenant_per_minute > 0),
    monthly_tokens          bigint  CHECK (monthly_tokens >= 0),
    monthly_cost_micros     bigint  CHECK (monthly_cost_micros >= 0),
    own_contact_per_minute  integer CHECK (own_contact_per_minute > 0),
    own_member_per_minute   integer CHECK (own_member_per_minute > 0),
    own_tenant_per_minute   integer CHECK (own_tenant_per_minute > 0),
    own_monthly_tokens      bigint  CHECK (own_monthly_tokens >= 0),
    own_monthly_cost_micros bigint  CHECK (own_monthly_cost_micros >= 0)
);

CREATE TABLE member_budgets (
    tenant_id           uuid   NOT NULL,
    member_id           uuid   NOT NULL,
    monthly_tokens      bigint CHECK (monthly_tokens >= 0),
    monthly_cost_micros bigint CHECK (monthly_cost_micros >= 0),
    PRIMARY KEY (tenant_id, member_id),
    CHECK (monthly_tokens IS NOT NULL OR monthly_cost_micros IS NOT NULL),
    FOREIGN KEY (tenant_id, member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['usage', 'tenant_limits', 'member_budgets']
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

GRANT SELECT, INSERT ON usage TO tenantry_app;

-- A tenant lowers its limits in columns of its own; what the operator granted it may not write.
GRANT SELECT ON tenant_limits TO tenantry_app;
GRANT INSERT (tenant_id, own_contact_per_minute, own_member_per_minute, own_tenant_per_minute, own_monthly_tokens,
    own_monthly_cost_micros) ON tenant_limits TO tenantry_app;
GRANT UPDATE (own_contact_per_minute, own_member_per_minute, own_tenant_per_minute, own_monthly_tokens,
    own_monthly_cost_micros) ON tenant_limits TO tenantry_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON member_budgets TO tenantry_app;

GRANT SELECT, INSERT, UPDATE ON tenant_limits TO tenantry_operator;
GRANT SELECT, INSERT, UPDATE ON member_budgets TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
