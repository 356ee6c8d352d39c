-- +goose Up
-- How long things are kept, and what keeps them longer. Days and texts about a
-- patient are sealed; what is in the clear is the month from which an item may
-- be reviewed.
ALTER TABLE patients ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE patients ADD COLUMN merged_into TEXT REFERENCES patients (id);
ALTER TABLE patients ADD COLUMN stale BIGINT NOT NULL DEFAULT 1; -- changes since its items were dated; 0 when they are right
CREATE INDEX patients_stale ON patients (id) WHERE stale > 0;
CREATE INDEX patients_merged ON patients (merged_into) WHERE merged_into IS NOT NULL;
ALTER TABLE teams ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE items ADD COLUMN site BYTEA; -- keyed hash of the part of the body; NULL when that is not one of the map's
ALTER TABLE items ADD COLUMN due_on BIGINT NOT NULL DEFAULT 0; -- may be reviewed from this day; 0 while nothing ends its time
ALTER TABLE items ADD COLUMN due_rule TEXT NOT NULL DEFAULT ''; -- the class whose rule dated it
ALTER TABLE items ADD COLUMN kept_until BIGINT NOT NULL DEFAULT 0; -- as a review decided
ALTER TABLE items ADD COLUMN consent_ended_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN destroyed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE items ADD COLUMN locked_until BIGINT NOT NULL DEFAULT 0; -- its object in the store, where that has locks
ALTER TABLE items ADD COLUMN legal_hold BOOLEAN NOT NULL DEFAULT FALSE; -- likewise
CREATE INDEX items_unlocked ON items (id) WHERE due_on > locked_until AND destroyed_at = 0;
CREATE INDEX items_legal_hold ON items (id) WHERE legal_hold;
CREATE INDEX items_due ON items (due_on, id) WHERE due_on > 0 AND destroyed_at = 0;

CREATE TABLE patient_events (
    id           TEXT PRIMARY KEY, -- ordered by time
    patient      TEXT NOT NULL REFERENCES patients (id),
    kind         TEXT NOT NULL CHECK (kind IN ('discharged', 'transferred', 'in-use', 'died')),
    detail       BYTEA NOT NULL, -- sealed: it holds the day
    source       TEXT NOT NULL CHECK (source IN ('page', 'csv', 'api')),
    recorded_by  TEXT NOT NULL REFERENCES people (id),
    at           BIGINT NOT NULL,
    cancelled_by TEXT REFERENCES people (id),
    cancelled_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX patient_events_by_patient ON patient_events (patient, id);

-- Every move of an item to another patient: a merge of two numbers, or a
-- picture that was filed to the wrong patient.
CREATE TABLE moves (
    id           TEXT PRIMARY KEY, -- ordered by time
    item         TEXT NOT NULL REFERENCES items (id),
    from_patient TEXT NOT NULL REFERENCES patients (id),
    to_patient   TEXT NOT NULL REFERENCES patients (id),
    reason       BYTEA NOT NULL, -- sealed
    moved_by     TEXT NOT NULL REFERENCES people (id),
    at           BIGINT NOT NULL
);
CREATE INDEX moves_by_item ON moves (item, id);

CREATE TABLE schedules (
    version    BIGINT PRIMARY KEY, -- from 1; the last one counts
    body       TEXT NOT NULL,      -- JSON
    applied_by TEXT REFERENCES people (id), -- NULL: the first, by the system
    applied_at BIGINT NOT NULL
);

CREATE TABLE confirmations (
    rule         TEXT PRIMARY KEY, -- hash of a rule's figures
    class        TEXT NOT NULL,
    confirmed_by TEXT NOT NULL REFERENCES people (id),
    at           BIGINT NOT NULL
);

CREATE TABLE holds (
    id             TEXT PRIMARY KEY, -- ordered by time
    reason         BYTEA NOT NULL,
    authority      BYTEA NOT NULL,
    from_at        BIGINT NOT NULL,
    to_at          BIGINT NOT NULL,
    site           BYTEA,
    placed_by      TEXT NOT NULL REFERENCES people (id),
    placed_at      BIGINT NOT NULL,
    released_by    TEXT REFERENCES people (id),
    released_at    BIGINT NOT NULL DEFAULT 0,
    release_reason BYTEA NOT NULL,
    placed_below   BOOLEAN NOT NULL DEFAULT FALSE -- its present state is that of the objects in the store
);
CREATE INDEX holds_live ON holds (released_at, id);
CREATE TABLE hold_teams (
    hold TEXT NOT NULL REFERENCES holds (id),
    team TEXT NOT NULL REFERENCES teams (id),
    PRIMARY KEY (hold, team)
);
CREATE TABLE hold_patients (
    hold    TEXT NOT NULL REFERENCES holds (id),
    patient TEXT NOT NULL REFERENCES patients (id),
    PRIMARY KEY (hold, patient)
);
