-- migrate:up

-- What a member, or with no owner the tenant, signed in to: one of each provider. `sealed` holds the tokens or the
-- password and can be opened by the installation's master key alone, for this row of this owner; `version` goes up with
-- each new one. Whoever holds the lease may ask the provider for new tokens.
CREATE TABLE connections (
    tenant_id          uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id                 uuid        NOT NULL,
    owner_member_id    uuid,
    provider           text        NOT NULL CHECK (provider IN ('microsoft', 'google', 'caldav')),
    account            text        NOT NULL DEFAULT '',
    scopes             text[]      NOT NULL DEFAULT '{}',
    sealed             bytea       NOT NULL,
    version            bigint      NOT NULL DEFAULT 1,
    expires_at         timestamptz,
    refresh_expires_at timestamptz,
    health             text        NOT NULL DEFAULT 'ok' CHECK (health IN ('ok', 'needs_sign_in', 'revoked')),
    reason             text        NOT NULL DEFAULT '',
    failing_since      timestamptz,
    lease_holder       uuid,
    lease_until        timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, owner_member_id, provider),
    CHECK ((lease_holder IS NULL) = (lease_until IS NULL)),
    FOREIGN KEY (tenant_id, owner_member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE
);

-- Consents that were asked for and are not given yet; taking one out is using it. `session_hash` is of the secret that
-- only the browser session that asked has.
CREATE TABLE consents (
    tenant_id       uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id              uuid        NOT NULL,
    owner_member_id uuid,
    provider        text        NOT NULL,
    state_hash      bytea       NOT NULL,
    session_hash    bytea       NOT NULL,
    sealed_verifier bytea       NOT NULL,
    redirect_uri    text        NOT NULL,
    asked_by        text        NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, state_hash),
    FOREIGN KEY (tenant_id, owner_member_id) REFERENCES members (tenant_id, id) ON DELETE CASCADE
);

-- An owner has one calendar of their own here, whatever they connect: in it no two appointments overlap.
ALTER TABLE calendars DROP COLUMN provider;
ALTER TABLE calendars ADD CONSTRAINT calendars_owner UNIQUE NULLS NOT DISTINCT (tenant_id, owner_member_id);

-- The calendars at a provider that stand for the owner's: those that count as busy, and the one that takes bookings.
CREATE TABLE remote_calendars (
    tenant_id      uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id             uuid        NOT NULL,
    calendar_id    uuid        NOT NULL,
    connection_id  uuid        NOT NULL,
    remote_id      text        NOT NULL,
    name           text        NOT NULL DEFAULT '',
    counts_busy    boolean     NOT NULL DEFAULT true,
    takes_bookings boolean     NOT NULL DEFAULT false,
    sync_token     text,
    synced_at      timestamptz,
    next_sync_at   timestamptz NOT NULL DEFAULT now(),
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, connection_id, remote_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX remote_calendars_one_takes_bookings ON remote_calendars (tenant_id, calendar_id)
    WHERE takes_bookings;

-- `pending` waits for the remote calendar; `declined` was asked for and could not be had. What is wanted there is done
-- when `settled` has come up to `wanted`; who settles it holds the lease. `moved_from` is the slot that the remote
-- calendar still has; `requested_at` is when the contact was told that they will hear of it. What the owner moved in
-- their own calendar may overlap: it is where they want it.
ALTER TABLE bookings DROP CONSTRAINT bookings_no_overlap;
ALTER TABLE bookings DROP CONSTRAINT bookings_status_check;
ALTER TABLE bookings
    ADD COLUMN remote_calendar_id uuid,
    ADD COLUMN remote_id          text,
    ADD COLUMN remote_tag         text,
    ADD COLUMN wanted             integer NOT NULL DEFAULT 0,
    ADD COLUMN settled            integer NOT NULL DEFAULT 0,
    ADD COLUMN settling_by        uuid,
    ADD COLUMN settling_until     timestamptz,
    ADD COLUMN moved_from         tstzrange,
    ADD COLUMN requested_at       timestamptz,
    ADD COLUMN by_owner           boolean NOT NULL DEFAULT false,
    ADD COLUMN sequence           integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT bookings_status_check
        CHECK (status IN ('held', 'pending', 'confirmed', 'cancelled', 'expired', 'declined')),
    ADD CONSTRAINT bookings_no_overlap EXCLUDE USING gist (tenant_id WITH =, calendar_id WITH =, blocked WITH &&)
        WHERE (status IN ('held', 'pending', 'confirmed') AND NOT by_owner),
    ADD FOREIGN KEY (tenant_id, remote_calendar_id) REFERENCES remote_calendars (tenant_id, id)
        ON DELETE SET NULL (remote_calendar_id);
CREATE INDEX bookings_unsettled ON bookings (tenant_id, id) WHERE settled < wanted;
CREATE INDEX bookings_by_remote ON bookings (tenant_id, remote_calendar_id, remote_id) WHERE remote_id IS NOT NULL;

-- Events of bookings that were deleted here with their contact, and are to be deleted there; `id` was the booking's.
CREATE TABLE remote_removals (
    tenant_id          uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id                 uuid        NOT NULL,
    remote_calendar_id uuid        NOT NULL,
    remote_id          text,
    starts_at          timestamptz NOT NULL,
    ends_at            timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, remote_calendar_id) REFERENCES remote_calendars (tenant_id, id) ON DELETE CASCADE
);

-- What became of a contact's appointment without them; told with the next turn of theirs.
CREATE TABLE booking_notices (
    tenant_id      uuid        NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    id             uuid        NOT NULL,
    booking_id     uuid        NOT NULL,
    contact_id     uuid        NOT NULL,
    agent_id       uuid        NOT NULL,
    kind           text        NOT NULL CHECK (kind IN ('confirmed', 'declined', 'moved', 'cancelled')),
    starts_at      timestamptz NOT NULL,
    previous_start timestamptz,
    time_zone      text        NOT NULL,
    title          text        NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, booking_id) REFERENCES bookings (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, contact_id) REFERENCES contacts (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX booking_notices_by_contact ON booking_notices (tenant_id, contact_id, agent_id);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['connections', 'consents', 'remote_calendars', 'remote_removals', 'booking_notices']
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

GRANT SELECT, INSERT, UPDATE, DELETE ON connections, consents, remote_calendars, remote_removals, booking_notices
    TO tenantry_app;

-- The process finds what is due whoever's it is; it then acts as its tenant.
CREATE POLICY operator_finds_due ON remote_calendars FOR SELECT TO tenantry_operator USING (takes_bookings);
CREATE POLICY operator_finds_unsettled ON bookings FOR SELECT TO tenantry_operator USING (settled < wanted);
GRANT SELECT (tenant_id, id, takes_bookings, next_sync_at) ON remote_calendars TO tenantry_operator;
GRANT SELECT (tenant_id, id, wanted, settled, settling_until) ON bookings TO tenantry_operator;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
