-- +goose Up
-- Times are microseconds since 1970 in UTC, set by the database's own clock
-- unless the column says otherwise; 0 means never. What could identify a
-- patient is sealed before it comes here, or a keyed hash.

CREATE TABLE audit_counter (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO audit_counter (one, seq) VALUES (1, 0);

CREATE TABLE audit_events (
    seq     BIGINT PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    at      BIGINT NOT NULL,
    type    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    person  TEXT NOT NULL,
    item    TEXT NOT NULL,
    patient TEXT NOT NULL,
    link    TEXT NOT NULL,
    body    BYTEA NOT NULL -- the event's canonical form
);
CREATE INDEX audit_by_type ON audit_events (type, seq);
CREATE INDEX audit_by_actor ON audit_events (actor, seq);
CREATE INDEX audit_by_person ON audit_events (person, seq);
CREATE INDEX audit_by_item ON audit_events (item, seq);
CREATE INDEX audit_by_patient ON audit_events (patient, seq);
CREATE INDEX audit_by_link ON audit_events (link, seq);
CREATE INDEX audit_by_time ON audit_events (at);

CREATE TABLE sealed_keys (
    id         TEXT PRIMARY KEY,
    purpose    TEXT NOT NULL,
    period     TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    public     BYTEA NOT NULL,
    created_at BIGINT NOT NULL, -- by the server that made it
    UNIQUE (purpose, period)
);

CREATE TABLE people (
    id              TEXT PRIMARY KEY,
    username        TEXT NOT NULL UNIQUE,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('clinician', 'consultant', 'records-officer', 'auditor', 'administrator')),
    suspended       BOOLEAN NOT NULL,
    password        TEXT NOT NULL, -- argon2id
    failed_sign_ins BIGINT NOT NULL DEFAULT 0,
    locked_until    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL
);

CREATE TABLE teams (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE members (
    team   TEXT NOT NULL REFERENCES teams (id),
    person TEXT NOT NULL REFERENCES people (id),
    PRIMARY KEY (team, person)
);
CREATE INDEX members_by_person ON members (person);

CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,
    hash         BYTEA NOT NULL UNIQUE, -- of the secret, which is nowhere
    person       TEXT NOT NULL REFERENCES people (id),
    kind         TEXT NOT NULL CHECK (kind IN ('session', 'token')),
    name         TEXT NOT NULL,
    idle_for     BIGINT NOT NULL, -- microseconds; 0 means no idle limit
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_person ON sessions (person, ended_at);

CREATE TABLE patients (
    id           TEXT PRIMARY KEY,
    number_index BYTEA NOT NULL UNIQUE,
    details      BYTEA NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE TABLE cases (
    id         TEXT PRIMARY KEY,
    patient    TEXT NOT NULL REFERENCES patients (id),
    team       TEXT NOT NULL REFERENCES teams (id),
    title      BYTEA NOT NULL,
    created_by TEXT NOT NULL REFERENCES people (id),
    created_at BIGINT NOT NULL
);
CREATE INDEX cases_by_patient ON cases (patient, id);

CREATE TABLE items (
    id          TEXT PRIMARY KEY, -- ordered by time
    patient     TEXT NOT NULL REFERENCES patients (id),
    case_id     TEXT REFERENCES cases (id),
    team        TEXT NOT NULL REFERENCES teams (id),
    uploader    TEXT NOT NULL REFERENCES people (id),
    format      TEXT NOT NULL,
    consent     TEXT NOT NULL CHECK (consent IN ('A', 'B', 'C')),
    body_site   BYTEA NOT NULL,
    note        BYTEA NOT NULL,
    captured_at BIGINT NOT NULL, -- as the file or the uploader said
    filed_at    BIGINT NOT NULL,
    bytes       BIGINT NOT NULL CHECK (bytes > 0),
    fingerprint BYTEA NOT NULL,
    sole        BYTEA UNIQUE, -- the fingerprint again, unless a second copy was asked for
    receipt     BYTEA NOT NULL,
    manifest    BYTEA NOT NULL
);
CREATE INDEX items_by_patient ON items (patient, id);
CREATE INDEX items_by_case ON items (case_id, id);
CREATE INDEX items_by_team ON items (team, id);
CREATE INDEX items_by_uploader ON items (uploader, id);
CREATE INDEX items_by_fingerprint ON items (fingerprint);

CREATE TABLE renditions (
    item         TEXT NOT NULL REFERENCES items (id),
    rendition    TEXT NOT NULL,
    format       TEXT NOT NULL,
    object_key   TEXT NOT NULL UNIQUE,
    bytes        BIGINT NOT NULL CHECK (bytes > 0),
    object_bytes BIGINT NOT NULL CHECK (object_bytes > 0),
    width        BIGINT NOT NULL,
    height       BIGINT NOT NULL,
    PRIMARY KEY (item, rendition)
);

-- Apart from renditions, because destroying a picture is destroying this row.
CREATE TABLE wrapped_keys (
    item      TEXT NOT NULL,
    rendition TEXT NOT NULL,
    kek       TEXT NOT NULL REFERENCES sealed_keys (id),
    wrapped   BYTEA NOT NULL,
    PRIMARY KEY (item, rendition),
    FOREIGN KEY (item, rendition) REFERENCES renditions (item, rendition)
);
CREATE INDEX wrapped_keys_by_kek ON wrapped_keys (kek);

CREATE TABLE requests (
    person       TEXT NOT NULL REFERENCES people (id),
    key          TEXT NOT NULL, -- the client's idempotency key
    request_hash BYTEA NOT NULL,
    item         TEXT NOT NULL REFERENCES items (id),
    at           BIGINT NOT NULL,
    PRIMARY KEY (person, key)
);

CREATE TABLE links (
    id            TEXT PRIMARY KEY,
    secret_hash   BYTEA NOT NULL UNIQUE,
    item          TEXT NOT NULL REFERENCES items (id),
    created_by    TEXT NOT NULL REFERENCES people (id),
    audience_kind TEXT NOT NULL CHECK (audience_kind IN ('person', 'team', 'role')),
    audience      TEXT NOT NULL,
    purpose       BYTEA NOT NULL,
    uses          BIGINT NOT NULL CHECK (uses > 0),
    uses_left     BIGINT NOT NULL CHECK (uses_left >= 0),
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT NOT NULL DEFAULT 0,
    opened_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX links_by_item ON links (item, expires_at);
CREATE INDEX links_by_maker ON links (created_by, expires_at);
CREATE INDEX links_by_audience ON links (audience, audience_kind, expires_at);

CREATE TABLE grants (
    id         TEXT PRIMARY KEY,
    link       TEXT NOT NULL REFERENCES links (id),
    item       TEXT NOT NULL REFERENCES items (id),
    person     TEXT NOT NULL REFERENCES people (id),
    session    TEXT NOT NULL REFERENCES sessions (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX grants_by_link ON grants (link);

-- When each session was last recorded as seeing a rendition.
CREATE TABLE viewings (
    session     TEXT NOT NULL REFERENCES sessions (id),
    item        TEXT NOT NULL,
    rendition   TEXT NOT NULL,
    via         TEXT NOT NULL, -- the grant, or ''
    recorded_at BIGINT NOT NULL,
    PRIMARY KEY (session, item, rendition, via)
);

CREATE TABLE jobs (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    item        TEXT NOT NULL REFERENCES items (id),
    state       TEXT NOT NULL CHECK (state IN ('ready', 'done', 'dead')),
    attempts    BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT NOT NULL DEFAULT '', -- a code, without detail
    worker      TEXT NOT NULL DEFAULT '',
    lease_until BIGINT NOT NULL DEFAULT 0,
    run_at      BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX jobs_due ON jobs (state, run_at, id);
CREATE INDEX jobs_by_item ON jobs (item);
