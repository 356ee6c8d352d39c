-- +goose Up
-- The same file is a new one for the patient whom a picture was taken from.
UPDATE items SET sole = NULL WHERE sole IS NOT NULL AND id IN (SELECT item FROM moves);
