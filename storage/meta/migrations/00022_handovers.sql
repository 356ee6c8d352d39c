-- +goose Up
-- Items that go to another organisation, in one package that is sealed to a key
-- of theirs. Rows are never removed: certificates refer to them.
CREATE TABLE handovers (
    id           TEXT PRIMARY KEY, -- ordered by time
    state        TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'ended', 'confirmed')),
    receiver     BYTEA NOT NULL, -- sealed: the organisation
    recipient    TEXT NOT NULL,  -- its public key (age)
    reason       BYTEA NOT NULL, -- sealed
    proposed_by  TEXT NOT NULL REFERENCES people (id),
    proposed_at  BIGINT NOT NULL,
    decided_by   TEXT REFERENCES people (id),
    decided_at   BIGINT NOT NULL DEFAULT 0,
    decision     BYTEA NOT NULL, -- sealed: the second person's words, or why it was ended
    sent_by      TEXT REFERENCES people (id), -- who fetched the package last
    sent_at      BIGINT NOT NULL DEFAULT 0,
    confirmed_by TEXT REFERENCES people (id), -- who recorded that it arrived
    confirmed_at BIGINT NOT NULL DEFAULT 0,
    confirmation BYTEA NOT NULL -- sealed: who there, on which day, under which reference
);

CREATE TABLE handover_items (
    handover TEXT NOT NULL REFERENCES handovers (id),
    item     TEXT NOT NULL REFERENCES items (id),
    PRIMARY KEY (handover, item)
);
CREATE INDEX handover_items_by_item ON handover_items (item);
