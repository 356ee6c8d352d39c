-- +goose Up
-- The audit tree (RFC 6962) over the events, and its signed heads.

-- What integrates events is one server at a time, by lease.
CREATE TABLE audit_sequencer (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    size        BIGINT NOT NULL, -- events that are in the tree
    worker      TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    refused     TEXT NOT NULL, -- why no checkpoint is signed; '' when all is well
    refused_at  BIGINT NOT NULL
);
INSERT INTO audit_sequencer (one, size, worker, lease_until, refused, refused_at) VALUES (1, 0, '', 0, '', 0);

-- With each event the hashes of the tree that became whole with it: its own,
-- and those of the subtrees that it completes.
CREATE TABLE audit_hashes (
    seq    BIGINT PRIMARY KEY REFERENCES audit_events (seq),
    hashes BYTEA NOT NULL
);

-- Never changed and never removed.
CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY,
    root BYTEA NOT NULL,
    note BYTEA NOT NULL, -- the signed text
    at   BIGINT NOT NULL
);

-- How far each place to publish checkpoints to has come.
CREATE TABLE audit_sinks (
    name         TEXT PRIMARY KEY,
    size         BIGINT NOT NULL, -- of the last checkpoint that is there
    published_at BIGINT NOT NULL,
    failure      TEXT NOT NULL, -- '' when the last attempt succeeded
    failed_at    BIGINT NOT NULL
);
