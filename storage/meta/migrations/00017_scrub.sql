-- +goose Up
-- How far the continuous reading of the store has come. One server is at it at
-- a time.
CREATE TABLE scrub (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    place       TEXT NOT NULL, -- the object that was read last
    worker      TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    began_at    BIGINT NOT NULL, -- of this round; 0 before the first
    total       BIGINT NOT NULL, -- objects there were when it began
    checked     BIGINT NOT NULL,
    damaged     BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL, -- of the round before; 0 while there is none
    last_damaged BIGINT NOT NULL
);
INSERT INTO scrub (one, place, worker, lease_until, began_at, total, checked, damaged, ended_at, last_damaged) VALUES (1, '', '', 0, 0, 0, 0, 0, 0, 0);
