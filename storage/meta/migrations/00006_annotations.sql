-- +goose Up
-- What people drew and wrote over a picture, kept apart from it. A row is one
-- version of one set and never changes; taking a set away marks its rows.
CREATE TABLE annotations (
    id         TEXT PRIMARY KEY,
    item       TEXT NOT NULL REFERENCES items (id),
    series     TEXT NOT NULL, -- the first version's id
    version    BIGINT NOT NULL CHECK (version > 0),
    author     TEXT NOT NULL REFERENCES people (id),
    marks      BYTEA NOT NULL, -- sealed: it holds free text
    created_at BIGINT NOT NULL,
    removed_at BIGINT NOT NULL DEFAULT 0,
    UNIQUE (series, version)
);
CREATE INDEX annotations_by_item ON annotations (item, series);
