-- +goose Up
-- What was measured of a picture (JSON, says nothing about a person; '' means
-- not measured), and how far a job is, in thousandths.
ALTER TABLE items ADD COLUMN quality TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN progress BIGINT NOT NULL DEFAULT 0;
