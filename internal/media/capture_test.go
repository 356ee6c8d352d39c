package media

import "testing"

// Whoever consents fits the patient's capacity, and what is implied always does.
func TestConsentFitsCapacity(t *testing.T) {
	for g, allowed := range map[ConsentGiver][]ConsentCapacity{
		GivenByPatient:       {HasCapacity},
		GivenByParent:        {ChildCapacity, HasCapacity},
		GivenByAttorney:      {LacksCapacity},
		GivenByBestInterests: {LacksCapacity},
		GivenByNotStated:     {HasCapacity, LacksCapacity, ChildCapacity, CapacityNotStated},
	} {
		want := map[ConsentCapacity]bool{}
		for _, c := range allowed {
			want[c] = true
		}
		for _, c := range []ConsentCapacity{HasCapacity, LacksCapacity, ChildCapacity, CapacityNotStated, "", "other"} {
			if g.Allows(c) != want[c] {
				t.Errorf("%s with %q: %v", g, c, g.Allows(c))
			}
		}
		if !g.Valid() || !g.Allows(g.Implies()) {
			t.Errorf("%s implies %s", g, g.Implies())
		}
	}
	if ConsentGiver("").Valid() || ConsentCapacity("").Valid() || CapturedWith("").Valid() || CapturedWith("Camera").Valid() {
		t.Error("a zero value or a misspelt one passes")
	}
}
