-- +goose Up
-- Proving who one is by more than a password. Secrets are sealed; of recovery
-- codes, and of what a browser holds, there are only hashes.
ALTER TABLE sessions ADD COLUMN stepped_until BIGINT NOT NULL DEFAULT 0; -- its person proved once more who they are
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT ''; -- browser and system, in words

CREATE TABLE factors (
    id         TEXT PRIMARY KEY, -- ordered by time
    person     TEXT NOT NULL REFERENCES people (id),
    kind       TEXT NOT NULL CHECK (kind IN ('totp', 'passkey')),
    name       TEXT NOT NULL, -- its owner's word for it
    secret     BYTEA NOT NULL, -- sealed: the seed, or the credential
    credential BYTEA UNIQUE, -- of a passkey: the hash of its identifier
    last_step  BIGINT NOT NULL DEFAULT 0, -- of a code: its period, so that none counts twice
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX factors_by_person ON factors (person, kind);

CREATE TABLE recovery_codes (
    hash    BYTEA PRIMARY KEY,
    person  TEXT NOT NULL REFERENCES people (id),
    used_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX recovery_codes_by_person ON recovery_codes (person);

-- What waits for its second half: a sign-in whose password was right, a code
-- or passkey being set up, a passkey being asked for.
CREATE TABLE ceremonies (
    id         TEXT PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE, -- of the secret that the browser holds
    person     TEXT NOT NULL REFERENCES people (id),
    purpose    TEXT NOT NULL,
    data       BYTEA NOT NULL, -- sealed
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_by_person ON ceremonies (person, purpose);
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);
