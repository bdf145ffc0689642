-- migrate:up

-- What was done to one thing, newest first, in a log that only grows.
CREATE INDEX audit_log_by_target ON audit_log (tenant_id, target, id);

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
