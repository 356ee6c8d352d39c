-- +goose Up
-- Questions about pictures, and the answers. All text is sealed.
CREATE TABLE referrals (
    id            TEXT PRIMARY KEY, -- ordered by time
    patient       TEXT NOT NULL REFERENCES patients (id),
    team          TEXT NOT NULL REFERENCES teams (id), -- that asks
    asked_by      TEXT NOT NULL REFERENCES people (id),
    audience_kind TEXT NOT NULL CHECK (audience_kind IN ('person', 'team', 'role')),
    audience      TEXT NOT NULL,
    question      BYTEA NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'more', 'answered', 'closed')),
    asked_at      BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL DEFAULT 0 -- last, by anybody whom it asks
);
CREATE INDEX referrals_by_audience ON referrals (audience, audience_kind, state);
CREATE INDEX referrals_by_team ON referrals (team, state);
CREATE INDEX referrals_by_asker ON referrals (asked_by, state);
CREATE INDEX referrals_by_patient ON referrals (patient, state);

CREATE TABLE referral_items (
    referral TEXT NOT NULL REFERENCES referrals (id),
    item     TEXT NOT NULL REFERENCES items (id),
    added_at BIGINT NOT NULL,
    PRIMARY KEY (referral, item)
);
CREATE INDEX referral_items_by_item ON referral_items (item);

CREATE TABLE referral_messages (
    id       TEXT PRIMARY KEY, -- ordered by time
    referral TEXT NOT NULL REFERENCES referrals (id),
    person   TEXT NOT NULL REFERENCES people (id),
    kind     TEXT NOT NULL CHECK (kind IN ('answer', 'more', 'note', 'items', 'close', 'reopen')),
    text     BYTEA NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX referral_messages_by_referral ON referral_messages (referral, id);

CREATE TABLE referral_reads (
    referral TEXT NOT NULL REFERENCES referrals (id),
    person   TEXT NOT NULL REFERENCES people (id),
    at       BIGINT NOT NULL, -- last
    PRIMARY KEY (referral, person)
);
