-- +goose Up
-- Which version of the code tried a job last: what one gave up, a newer one
-- tries again.
ALTER TABLE jobs ADD COLUMN tried_by BIGINT NOT NULL DEFAULT 0;
CREATE INDEX jobs_given_up ON jobs (tried_by) WHERE state = 'dead';
