-- migrate:up

-- Who asked that an unfinished turn is to end where it stands: a newer message, or whoever cancelled it.
ALTER TABLE turns ADD COLUMN stop text CHECK (stop IN ('interrupted', 'cancelled'));

-- Which model asked for the call: after a crash another may go on, and is told of it.
ALTER TABLE tool_calls ADD COLUMN model text NOT NULL DEFAULT '';

-- Calls of which nobody knows what came of them, for a person to look at.
CREATE INDEX tool_calls_unknown ON tool_calls (tenant_id, claimed_at) WHERE output ->> 'status' = 'unknown';

-- How the attempt at a turn went that was stored: what explains it (domain/trace.py).
CREATE TABLE turn_traces (
    tenant_id uuid  NOT NULL,
    turn_id   uuid  NOT NULL,
    trace     jsonb NOT NULL,
    PRIMARY KEY (tenant_id, turn_id),
    FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE turn_traces ENABLE ROW LEVEL SECURITY;
ALTER TABLE turn_traces FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON turn_traces TO tenantry_app, tenantry_operator
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON turn_traces TO tenantry_app;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
