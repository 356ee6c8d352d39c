-- +goose Up
-- What is decided at the end of a retention period. Rows are never removed:
-- this is the destruction log.
CREATE TABLE reviews (
    id       TEXT PRIMARY KEY, -- ordered by time
    item     TEXT NOT NULL REFERENCES items (id),
    decision TEXT NOT NULL CHECK (decision IN ('keep', 'transfer')),
    until    BIGINT NOT NULL, -- comes back for review then
    reason   BYTEA NOT NULL,  -- sealed
    decided_by TEXT NOT NULL REFERENCES people (id),
    at       BIGINT NOT NULL
);
CREATE INDEX reviews_by_item ON reviews (item, id);

CREATE TABLE batches (
    id          TEXT PRIMARY KEY, -- ordered by time
    ground      TEXT NOT NULL CHECK (ground IN ('retention', 'consent', 'erasure')),
    state       TEXT NOT NULL CHECK (state IN ('proposed', 'refused', 'approved', 'undone', 'running', 'destroyed')),
    reason      BYTEA NOT NULL, -- sealed
    salt        BYTEA NOT NULL, -- sealed: of the references to patients in the certificate
    proposed_by TEXT REFERENCES people (id), -- NULL: by the system, where policy says so
    proposed_at BIGINT NOT NULL,
    decided_by  TEXT REFERENCES people (id),
    decided_at  BIGINT NOT NULL DEFAULT 0,
    decision    BYTEA NOT NULL, -- sealed: the second person's words, or why it was undone
    run_at      BIGINT NOT NULL DEFAULT 0, -- the end of the time in which it can be undone
    lease_until BIGINT NOT NULL DEFAULT 0,
    started_at  BIGINT NOT NULL DEFAULT 0,
    finished_at BIGINT NOT NULL DEFAULT 0,
    certificate BYTEA NOT NULL, -- signed JSON; empty until it is destroyed
    final       BYTEA NOT NULL  -- the same once no backup holds a key of it
);
CREATE INDEX batches_by_state ON batches (state, run_at);

CREATE TABLE batch_items (
    batch        TEXT NOT NULL REFERENCES batches (id),
    item         TEXT NOT NULL REFERENCES items (id),
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'keyless', 'destroyed', 'spared')),
    why          TEXT NOT NULL DEFAULT '', -- a code: why it was spared
    facts        BYTEA NOT NULL, -- JSON for the certificate; empty until its keys are destroyed
    destroyed_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (batch, item)
);
CREATE INDEX batch_items_by_item ON batch_items (item);
CREATE INDEX batch_items_by_state ON batch_items (batch, state);
