-- migrate:up

-- Subscriptions by which providers tell of changes in a calendar. `ticket_hash` is of the secret in the URL that the
-- provider calls, `secret_hash` of the one that it says there. Without `watch_id` none is known to exist: none was made
-- yet, or nobody knows what came of it. At `renew_at` it is made, or renewed, next.
CREATE TABLE calendar_watches (
    tenant_id          uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    remote_calendar_id uuid        NOT NULL,
    ticket_hash        bytea,
    secret_hash        bytea,
    watch_id           text,
    resource_id        text        NOT NULL DEFAULT '',
    expires_at         timestamptz,
    renew_at           timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, remote_calendar_id),
    UNIQUE (tenant_id, ticket_hash),
    CHECK ((ticket_hash IS NULL) = (secret_hash IS NULL)),
    CHECK ((watch_id IS NULL) = (expires_at IS NULL)),
    FOREIGN KEY (tenant_id, remote_calendar_id) REFERENCES remote_calendars (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE calendar_watches ENABLE ROW LEVEL SECURITY;
ALTER TABLE calendar_watches FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON calendar_watches TO tenantry_app, tenantry_operator
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON calendar_watches TO tenantry_app;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
