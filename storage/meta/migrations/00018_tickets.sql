-- +goose Up
-- Passwords that somebody else chose, and one-time addresses at which people
-- choose their own.
ALTER TABLE people ADD COLUMN first_until BIGINT NOT NULL DEFAULT 0; -- somebody else chose the password, which is good until then and for choosing another; 0: their own

CREATE TABLE password_tickets (
    person     TEXT PRIMARY KEY REFERENCES people (id), -- the newest counts
    hash       BYTEA NOT NULL UNIQUE, -- of the secret
    expires_at BIGINT NOT NULL
);
