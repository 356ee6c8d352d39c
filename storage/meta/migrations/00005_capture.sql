-- +goose Up
-- How a picture was taken, and who consented; items from before nobody asked.
ALTER TABLE items ADD COLUMN captured_with TEXT NOT NULL DEFAULT 'unknown' CHECK (captured_with IN ('camera', 'native', 'frame', 'file', 'unknown'));
ALTER TABLE items ADD COLUMN consent_given_by TEXT NOT NULL DEFAULT 'not-stated' CHECK (consent_given_by IN ('patient', 'parent', 'attorney', 'best-interests', 'not-stated'));
ALTER TABLE items ADD COLUMN consent_capacity TEXT NOT NULL DEFAULT 'not-stated' CHECK (consent_capacity IN ('has-capacity', 'lacks-capacity', 'child', 'not-stated'));
ALTER TABLE items ADD COLUMN consent_detail BYTEA NOT NULL DEFAULT ''; -- sealed; empty when there is none
