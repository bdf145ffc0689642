-- migrate:up

-- Recordings of calls, in pieces: `part` counts those of one process that spoke for the call, which is `claim`.
CREATE TABLE call_recordings (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    call_id    uuid        NOT NULL,
    claim      integer     NOT NULL,
    part       integer     NOT NULL CHECK (part >= 0),
    size       integer     NOT NULL CHECK (size BETWEEN 1 AND 262144),
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, call_id, claim, part),
    FOREIGN KEY (tenant_id, call_id) REFERENCES calls (tenant_id, id) ON DELETE CASCADE
);
-- What is encrypted does not get smaller.
ALTER TABLE call_recordings ALTER COLUMN sealed SET STORAGE EXTERNAL;

ALTER TABLE call_recordings ENABLE ROW LEVEL SECURITY;
ALTER TABLE call_recordings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON call_recordings TO tenantry_app, tenantry_operator
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON call_recordings TO tenantry_app;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
