-- migrate:up

-- Whoever knows the secret that `feed_hash` is of reads the appointments of this calendar.
ALTER TABLE calendars
    ADD COLUMN feed_hash    bytea,
    ADD COLUMN feed_made_at timestamptz,
    ADD CHECK ((feed_hash IS NULL) = (feed_made_at IS NULL));
CREATE UNIQUE INDEX calendars_by_feed ON calendars (tenant_id, feed_hash) WHERE feed_hash IS NOT NULL;

-- The last mail about the appointment: to whom, of which change, and whether it asked or called off.
ALTER TABLE bookings
    ADD COLUMN invited_address  text,
    ADD COLUMN invited_sequence integer,
    ADD COLUMN invited_method   text CHECK (invited_method IN ('REQUEST', 'CANCEL')),
    ADD CONSTRAINT bookings_invited CHECK (num_nulls(invited_address, invited_sequence, invited_method) IN (0, 3));

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
