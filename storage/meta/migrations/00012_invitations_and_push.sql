-- +goose Up
-- What people outside the organisation are invited to see. Who they are and
-- what it is for is sealed.
CREATE TABLE invitations (
    id          TEXT PRIMARY KEY, -- ordered by time
    secret_hash BYTEA NOT NULL UNIQUE,
    created_by  TEXT NOT NULL REFERENCES people (id),
    patient     TEXT NOT NULL REFERENCES patients (id),
    recipient   BYTEA NOT NULL, -- keyed hash of the address
    name        BYTEA NOT NULL,
    email       BYTEA NOT NULL,
    purpose     BYTEA NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT NOT NULL DEFAULT 0,
    opened_at   BIGINT NOT NULL DEFAULT 0,
    visits      BIGINT NOT NULL DEFAULT 0,
    codes       BIGINT NOT NULL DEFAULT 0, -- how many were sent
    code_hash   BYTEA NOT NULL,            -- keyed; empty when there is none
    code_at     BIGINT NOT NULL DEFAULT 0,
    code_tries  BIGINT NOT NULL DEFAULT 0 CHECK (code_tries >= 0) -- left
);
CREATE INDEX invitations_by_maker ON invitations (created_by, expires_at);
CREATE INDEX invitations_by_recipient ON invitations (recipient, expires_at);
CREATE INDEX invitations_live ON invitations (expires_at);

CREATE TABLE invitation_items (
    invitation TEXT NOT NULL REFERENCES invitations (id),
    item       TEXT NOT NULL REFERENCES items (id),
    position   BIGINT NOT NULL,
    PRIMARY KEY (invitation, item)
);
CREATE INDEX invitation_items_by_item ON invitation_items (item);

CREATE TABLE visits (
    id         TEXT PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE, -- of the secret, which is nowhere
    invitation TEXT NOT NULL REFERENCES invitations (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX visits_by_invitation ON visits (invitation);

-- What sees a rendition is a session or a visit. The table only keeps one
-- viewing from being recorded twice within minutes, so it can start anew.
DROP TABLE viewings;
CREATE TABLE viewings (
    session     TEXT NOT NULL,
    item        TEXT NOT NULL,
    rendition   TEXT NOT NULL,
    via         TEXT NOT NULL, -- the grant, or ''
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (session, item, rendition, via)
);

-- The browsers that are told that something waits for a person.
CREATE TABLE push_subscriptions (
    id           TEXT PRIMARY KEY,
    person       TEXT NOT NULL REFERENCES people (id),
    address      BYTEA NOT NULL UNIQUE, -- keyed hash of where the browser is
    subscription BYTEA NOT NULL,        -- sealed
    created_at   BIGINT NOT NULL
);
CREATE INDEX push_by_person ON push_subscriptions (person);
