package media

import (
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// NumberKind says which national scheme a patient number belongs to.
type NumberKind string

const (
	NHS NumberKind = "nhs" // England, Wales, Isle of Man
	CHI NumberKind = "chi" // Scotland
)

// Sex is as recorded with the patient's number; it serves only to catch a
// mistyped CHI number.
type Sex string

const (
	Female Sex = "female"
	Male   Sex = "male"
)

// ParseNumber checks a patient number as typed, with or without spaces and
// hyphens, and returns its ten digits. An NHS number must satisfy Modulus 11
// (NHS Data Dictionary, NHS NUMBER). A CHI number starts with a real date of
// birth (DDMMYY) and must satisfy Modulus 11 or, since February 2026, Modulus
// 10 (Luhn). A repeated single digit is refused in both. The error is a
// *fault.Error that never repeats the number.
func ParseNumber(kind NumberKind, typed string) (string, error) {
	digits := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(typed)
	bad := func(code string, msg words.Text) (string, error) {
		return "", fault.New(fault.Invalid, code, msg).In("patient_number")
	}
	if kind != NHS && kind != CHI {
		return "", fault.New(fault.Invalid, "patient-number-kind", "Say which kind of patient number this is: nhs or chi.").In("patient_number_kind")
	}
	if digits == "" {
		if kind == CHI {
			return bad("patient-number-missing", "Enter the patient's CHI number.")
		}
		return bad("patient-number-missing", "Enter the patient's NHS number.")
	}
	for _, r := range digits {
		if r < '0' || r > '9' {
			return bad("patient-number-form", "A patient number has digits only. Check the wristband and type the 10 digits.")
		}
	}
	if len(digits) != 10 {
		return bad("patient-number-length", "A patient number has 10 digits. Check the wristband for a missing or extra digit.")
	}
	if strings.Count(digits, digits[:1]) == 10 {
		return bad("patient-number-check-digit", "This is not a real patient number: every digit is the same.")
	}
	switch kind {
	case NHS:
		if !modulus11(digits) {
			return bad("patient-number-check-digit", "This NHS number has a mistyped digit: its check digit does not match. Check the wristband and type it again.")
		}
	case CHI:
		if _, err := time.Parse("020106", digits[:6]); err != nil {
			return bad("patient-number-date", "A CHI number starts with the date of birth as DDMMYY, and this one does not. Check the wristband and type it again.")
		}
		if !modulus11(digits) && !luhn(digits) {
			return bad("patient-number-check-digit", "This CHI number has a mistyped digit: its check digit does not match. Check the wristband and type it again.")
		}
	}
	return digits, nil
}

// CheckDetails compares a CHI number with the date of birth and sex it
// encodes, since its check digit alone misses one typing slip in ten. It has
// nothing to compare for an NHS number. The date is YYYY-MM-DD; an empty sex is
// not compared.
func CheckDetails(kind NumberKind, digits, dateOfBirth string, sex Sex) error {
	born, err := time.Parse(time.DateOnly, dateOfBirth)
	if err != nil {
		return fault.New(fault.Invalid, "date-of-birth-form", "Enter the date of birth as YYYY-MM-DD, for example 1984-03-27.").In("date_of_birth")
	}
	if sex != "" && sex != Female && sex != Male {
		return fault.New(fault.Invalid, "sex-form", "Sex is female, male, or left out.").In("sex")
	}
	if kind != CHI {
		return nil
	}
	if born.Format("020106") != digits[:6] {
		return fault.New(fault.Invalid, "date-of-birth-mismatch", "The date of birth does not match the one inside this CHI number. Check both against the wristband.").In("date_of_birth")
	}
	male := (digits[8]-'0')%2 == 1
	if (sex == Male && !male) || (sex == Female && male) {
		return fault.New(fault.Invalid, "sex-mismatch", "The sex does not match the one inside this CHI number. Check both against the wristband.").In("sex")
	}
	return nil
}

// modulus11 is the check of the NHS Data Dictionary: weights 10 to 2, and a
// remainder that would need the digit 10 is invalid.
func modulus11(digits string) bool {
	sum := 0
	for i := range 9 {
		sum += int(digits[i]-'0') * (10 - i)
	}
	check := 11 - sum%11
	if check == 11 {
		check = 0
	}
	return check != 10 && check == int(digits[9]-'0')
}

// luhn is the Modulus 10 check (ISO/IEC 7812-1 annex B).
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}
