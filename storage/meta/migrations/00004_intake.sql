-- +goose Up
-- Uploads that can be resumed. What arrives of one is ciphertext to the intake,
-- in objects of the store; nothing of it is readable here.

CREATE TABLE uploads (
    id           TEXT PRIMARY KEY,
    person       TEXT NOT NULL REFERENCES people (id),
    entry        TEXT NOT NULL, -- the phone's own name for it: starting the same again finds it
    corrections  BYTEA NOT NULL, -- sealed on the phone: fields that count instead of those in the upload
    bytes        BIGINT NOT NULL CHECK (bytes > 0),
    received     BIGINT NOT NULL DEFAULT 0 CHECK (received >= 0 AND received <= bytes),
    state        TEXT NOT NULL CHECK (state IN ('open', 'filed', 'refused', 'removed', 'expired')),
    filing_until BIGINT NOT NULL DEFAULT 0, -- the lease of whoever files it
    item         TEXT REFERENCES items (id),
    repeated     BOOLEAN NOT NULL DEFAULT FALSE,
    problem      TEXT NOT NULL DEFAULT '', -- JSON: what a refused one is told; says nothing about a person
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL DEFAULT 0,
    UNIQUE (person, entry)
);
CREATE INDEX uploads_open ON uploads (state, expires_at);
CREATE INDEX uploads_ended ON uploads (ended_at);

CREATE TABLE upload_parts (
    upload     TEXT NOT NULL REFERENCES uploads (id),
    at         BIGINT NOT NULL, -- where it starts
    bytes      BIGINT NOT NULL CHECK (bytes > 0),
    object_key TEXT NOT NULL UNIQUE,
    PRIMARY KEY (upload, at)
);
