package retention

import "testing"

func TestPeriodInWords(t *testing.T) {
	s, err := Shipped(England)
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range map[Class]string{
		Adult:        "8 years after the patient was last seen",
		Child:        "Until the 25th birthday; until the 26th if the patient was 17 when last seen",
		MentalHealth: "20 years after the patient was last seen; 10 years after death where that is sooner",
		GP:           "10 years after death, and until then without end",
		Teaching:     "For as long as there is consent to it",
	} {
		if r, _ := s.Rule(c); r.Period().String() != want {
			t.Errorf("%s: %q, want %q", c, r.Period(), want)
		}
	}
}
