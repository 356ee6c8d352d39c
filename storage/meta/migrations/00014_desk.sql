-- +goose Up
-- Incidents that are looked into: about whom, in which time, and what was done.
-- All free text is sealed.
CREATE TABLE investigations (
    incident  TEXT PRIMARY KEY REFERENCES incidents (id),
    cause     TEXT NOT NULL CHECK (cause IN ('wrong-member', 'lost-device', 'wrong-recipient', 'other')),
    person    TEXT NOT NULL REFERENCES people (id),
    team      TEXT NOT NULL,
    session   TEXT NOT NULL,
    link      TEXT NOT NULL,
    patient   TEXT NOT NULL,
    from_at   BIGINT NOT NULL,
    to_at     BIGINT NOT NULL, -- 0: until now
    aware_at  BIGINT NOT NULL, -- the 72 hours run from here
    opened_by TEXT NOT NULL REFERENCES people (id),
    opened_at BIGINT NOT NULL
);

-- What was done and decided, in order. A row never changes.
CREATE TABLE investigation_entries (
    id       TEXT PRIMARY KEY, -- ordered by time
    incident TEXT NOT NULL REFERENCES investigations (incident),
    kind     TEXT NOT NULL CHECK (kind IN ('aware', 'contained', 'decision', 'people', 'draft')),
    value    TEXT NOT NULL, -- from a closed set
    text     BYTEA NOT NULL,
    when_at  BIGINT NOT NULL,
    by       TEXT NOT NULL REFERENCES people (id),
    at       BIGINT NOT NULL
);
CREATE INDEX investigation_entries_by_incident ON investigation_entries (incident, id);

-- For the reports: questions that nobody whom they ask has seen.
CREATE INDEX referrals_unseen ON referrals (asked_at) WHERE seen_at = 0 AND state <> 'closed';
