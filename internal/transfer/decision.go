package transfer

import (
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// What is the same of whatever one person proposes about some items and
// another decides: see packages disposal and handover.

// Chosen checks the items that somebody ticked: at least one and at most most,
// which tooMany tells.
func Chosen(items []media.ItemID, most int, tooMany words.Text) error {
	switch {
	case len(items) == 0:
		return fault.New(fault.Invalid, "items-missing", "Tick at least one picture.").In("item")
	case len(items) > most:
		return fault.New(fault.Invalid, "items-many", tooMany).In("item")
	}
	for _, id := range items {
		if !media.ValidID(string(id)) {
			return Gone(meta.ErrNotFound)
		}
	}
	return nil
}

// Second refuses whoever would decide what they proposed themselves.
func Second(who access.Principal, proposedBy access.PersonID) error {
	if proposedBy == who.Person.ID {
		return fault.New(fault.Denied, "second-person", "You proposed this yourself. A different person must decide it.")
	}
	return nil
}

// Decision checks what somebody wrote about their decision, and seals it for
// that column of a row.
func Decision(ring *keyring.Ring, table, row, text string, needed bool) (media.Sealed, error) {
	text, err := Written(text, "reason", needed)
	if err != nil {
		return nil, err
	}
	f := FieldsOf(ring, table, row)
	sealed := f.Seal("decision", text)
	return sealed, f.Err()
}
