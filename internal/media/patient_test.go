package media_test

import (
	"testing"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

func TestParseNumber(t *testing.T) {
	for _, c := range []struct {
		kind  media.NumberKind
		typed string
		code  string // "" when it is good
	}{
		{media.NHS, "9434765919", ""},
		{media.NHS, "943 476 5919", ""},
		{media.NHS, "999-000-0018", ""},
		{media.CHI, "0211165794", ""}, // Modulus 11 only
		{media.CHI, "0101201234", ""}, // Modulus 10 only
		{media.CHI, "0101010000", "patient-number-check-digit"},
		{media.CHI, "3102165794", "patient-number-date"},
		{media.NHS, "9434765918", "patient-number-check-digit"},
		{media.NHS, "9999999999", "patient-number-check-digit"},
		{media.NHS, "943476591", "patient-number-length"},
		{media.NHS, "94347659190", "patient-number-length"},
		{media.NHS, "943476591X", "patient-number-form"},
		{media.NHS, "９４３４７６５９１９", "patient-number-form"},
		{media.NHS, " ", "patient-number-missing"},
		{"", "9434765919", "patient-number-kind"},
	} {
		got, err := media.ParseNumber(c.kind, c.typed)
		if c.code == "" {
			if err != nil || len(got) != 10 {
				t.Errorf("%s %q: %q, %v", c.kind, c.typed, got, err)
			}
			continue
		}
		if e := fault.From(err); e == nil || e.Code != c.code || e.Kind != fault.Invalid {
			t.Errorf("%s %q: got %v, want %s", c.kind, c.typed, err, c.code)
		}
	}
}

func TestCheckDetails(t *testing.T) {
	for _, c := range []struct {
		kind      media.NumberKind
		digits    string
		born      string
		sex       media.Sex
		wantField string
	}{
		{media.CHI, "0211165794", "1916-11-02", media.Male, ""},
		{media.CHI, "0211165794", "2016-11-02", "", ""},
		{media.CHI, "0211165794", "2016-11-03", "", "date_of_birth"},
		{media.CHI, "0211165794", "2016-11-02", media.Female, "sex"},
		{media.CHI, "0101201234", "2020-01-01", media.Male, ""},
		{media.NHS, "9434765919", "1984-02-30", "", "date_of_birth"},
		{media.NHS, "9434765919", "1984-02-28", "other", "sex"},
		{media.NHS, "9434765919", "1984-02-28", media.Female, ""},
	} {
		err := media.CheckDetails(c.kind, c.digits, c.born, c.sex)
		if field := ""; err != nil {
			field = fault.From(err).Field
			if field != c.wantField {
				t.Errorf("%+v: field %q", c, field)
			}
		} else if c.wantField != "" {
			t.Errorf("%+v: accepted", c)
		}
	}
}
