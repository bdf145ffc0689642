-- migrate:up

-- The code that a contact is told when they book, as a keyed hash: whoever has the code may move and cancel the booking.
ALTER TABLE bookings ADD COLUMN reference_hash bytea;
CREATE UNIQUE INDEX bookings_by_reference ON bookings (tenant_id, reference_hash);

-- The zone (IANA) that a contact is in, as whoever sends their messages says in the metadata.
ALTER TABLE conversations ADD COLUMN contact_time_zone text;

-- migrate:down
-- Forward only: a mistake is mended by the next migration.
