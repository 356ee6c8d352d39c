-- +goose Up
-- Merges of two patient numbers and what each one moved, so that one that was
-- wrong can be undone. Of a merge that is older than this there is no row.
CREATE TABLE merges (
    id           TEXT PRIMARY KEY, -- ordered by time
    from_patient TEXT NOT NULL REFERENCES patients (id),
    to_patient   TEXT NOT NULL REFERENCES patients (id),
    reason       BYTEA NOT NULL, -- sealed
    merged_by    TEXT NOT NULL REFERENCES people (id),
    at           BIGINT NOT NULL,
    undone_by    TEXT REFERENCES people (id),
    undone_at    BIGINT NOT NULL DEFAULT 0,
    undo_reason  BYTEA NOT NULL -- sealed
);
CREATE INDEX merges_by_patient ON merges (to_patient, id);
CREATE INDEX merges_by_merged ON merges (from_patient, id);

CREATE TABLE merged_rows (
    merge  TEXT NOT NULL REFERENCES merges (id),
    kind   TEXT NOT NULL, -- the table of the row
    row_id TEXT NOT NULL,
    PRIMARY KEY (merge, kind, row_id)
);
CREATE INDEX merged_rows_by_row ON merged_rows (kind, row_id);
