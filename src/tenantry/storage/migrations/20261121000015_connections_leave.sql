-- migrate:up

-- A member who leaves takes along what they signed in to.
GRANT SELECT (tenant_id, id, owner_member_id, provider), DELETE ON connections TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
