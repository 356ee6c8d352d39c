-- +goose Up
-- Signing in at another provider (OpenID Connect): who somebody is there, what
-- their groups there gave them, and sign-ins on their way.
ALTER TABLE sessions ADD COLUMN issuer TEXT NOT NULL DEFAULT ''; -- where they signed in; empty: here
ALTER TABLE sessions ADD COLUMN subject TEXT NOT NULL DEFAULT ''; -- who they are there
ALTER TABLE sessions ADD COLUMN sid TEXT NOT NULL DEFAULT ''; -- the provider's name of its own session
ALTER TABLE sessions ADD COLUMN strong BOOLEAN NOT NULL DEFAULT FALSE; -- the provider had asked for a second factor
ALTER TABLE sessions ADD COLUMN scopes TEXT NOT NULL DEFAULT ''; -- of a token: what it may do, parted by spaces
CREATE INDEX sessions_by_provider ON sessions (issuer, sid) WHERE issuer <> '';
CREATE INDEX sessions_by_subject ON sessions (issuer, subject) WHERE issuer <> '';

-- Who signs in where. A person is found by this alone, never by name or e-mail.
CREATE TABLE identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    person     TEXT NOT NULL REFERENCES people (id),
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_by_person ON identities (person);

-- Teams that somebody is in because of a group there, and leaves with it.
CREATE TABLE identity_teams (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    team    TEXT NOT NULL REFERENCES teams (id),
    PRIMARY KEY (issuer, subject, team)
);

-- Sign-ins that went to a provider and are not back. Each is used once.
CREATE TABLE departures (
    id         TEXT PRIMARY KEY,
    state      BYTEA NOT NULL UNIQUE, -- hash of what comes back in the address
    browser    BYTEA NOT NULL, -- hash of what the browser keeps meanwhile
    provider   TEXT NOT NULL,
    data       BYTEA NOT NULL, -- sealed
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX departures_by_expiry ON departures (expires_at);

-- Logout tokens that were taken, so that none counts twice.
CREATE TABLE logout_tokens (
    issuer     TEXT NOT NULL,
    jti        BYTEA NOT NULL, -- its hash
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, jti)
);
