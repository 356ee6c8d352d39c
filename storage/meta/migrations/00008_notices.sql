-- +goose Up
-- Where staff are told that something waits for them, and the telling of it: a
-- job is on an item, or tells a person.
ALTER TABLE people ADD COLUMN email TEXT NOT NULL DEFAULT '';

CREATE TABLE jobs_of_both (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    item        TEXT REFERENCES items (id),
    person      TEXT REFERENCES people (id),
    state       TEXT NOT NULL CHECK (state IN ('ready', 'done', 'dead')),
    attempts    BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT NOT NULL DEFAULT '', -- a code, without detail
    worker      TEXT NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    run_at      BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    progress    BIGINT NOT NULL DEFAULT 0, -- in thousandths
    CHECK ((item IS NULL) <> (person IS NULL))
);
INSERT INTO jobs_of_both (id, kind, item, state, attempts, last_error, worker, lease_until, run_at, created_at, progress)
    SELECT id, kind, item, state, attempts, last_error, worker, lease_until, run_at, created_at, progress FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_of_both RENAME TO jobs;
CREATE INDEX jobs_due ON jobs (state, run_at, id);
CREATE INDEX jobs_by_item ON jobs (item);
CREATE INDEX jobs_by_person ON jobs (person, state);
