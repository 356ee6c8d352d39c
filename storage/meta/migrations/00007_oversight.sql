-- +goose Up
-- What auditors look after. All text is sealed.
CREATE TABLE acknowledgements (
    person  TEXT NOT NULL REFERENCES people (id),
    version TEXT NOT NULL, -- of the guidance: a hash of it
    at      BIGINT NOT NULL,
    PRIMARY KEY (person, version)
);

CREATE TABLE incidents (
    id          TEXT PRIMARY KEY, -- ordered by time
    kind        TEXT NOT NULL CHECK (kind IN ('problem', 'breach')),
    reported_by TEXT NOT NULL REFERENCES people (id),
    page        TEXT NOT NULL,
    text        BYTEA NOT NULL,
    at          BIGINT NOT NULL,
    closed_at   BIGINT NOT NULL DEFAULT 0,
    closed_by   TEXT REFERENCES people (id),
    outcome     BYTEA NOT NULL
);
CREATE INDEX incidents_open ON incidents (closed_at, id);

CREATE TABLE emergencies (
    id          TEXT PRIMARY KEY, -- ordered by time
    person      TEXT NOT NULL REFERENCES people (id),
    patient     TEXT NOT NULL REFERENCES patients (id),
    reason      BYTEA NOT NULL,
    at          BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    reviewed_at BIGINT NOT NULL DEFAULT 0,
    reviewed_by TEXT REFERENCES people (id),
    finding     BYTEA NOT NULL
);
CREATE INDEX emergencies_by_person ON emergencies (person, expires_at);
CREATE INDEX emergencies_by_patient ON emergencies (patient, expires_at);
CREATE INDEX emergencies_open ON emergencies (reviewed_at, id);
