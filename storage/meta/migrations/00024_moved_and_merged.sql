-- +goose Up
-- The same file is a new one for the patient whom a picture was taken from.
UPDATE items SET sole = NULL WHERE sole IS NOT NULL AND id IN (SELECT item FROM moves);
-- A hold that was placed on somebody who was merged before is on whom both
-- numbers find.
INSERT INTO hold_patients (hold, patient)
    SELECT hp.hold, p.merged_into FROM hold_patients hp JOIN patients p ON p.id = hp.patient WHERE p.merged_into IS NOT NULL
    ON CONFLICT DO NOTHING;
UPDATE holds SET placed_below = FALSE WHERE id IN (SELECT hp.hold FROM hold_patients hp JOIN patients p ON p.id = hp.patient WHERE p.merged_into IS NOT NULL);
