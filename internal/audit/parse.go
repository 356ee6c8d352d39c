package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Stored is an event as it is kept: its canonical body and, in the database,
// the columns that it is found by, which repeat what the body says.
type Stored struct {
	Seq     int64
	Columns string // joined; see Columns
	Body    []byte
	Hashes  []byte // the row of the tree that goes with it; empty where there is none
}

// Columns are what the database keeps of an event beside its number and body.
// They are compared joined, which takes a third of the time to read.
type Columns struct {
	At                                           int64 // in microseconds since 1970
	ID, Type, Actor, Person, Item, Patient, Link string
}

// Between stands between joined columns. No column has it in it: a body in
// which one would is refused, so that two rows never look alike.
const Between = "|"

// Join writes the columns as they are compared.
func (c Columns) Join() string {
	return strings.Join([]string{strconv.FormatInt(c.At, 10), c.ID, c.Type, c.Actor, c.Person, c.Item, c.Patient, c.Link}, Between)
}

// Parse reads an event from its canonical form. What is not exactly in that
// form is refused, so that one event has one body.
func Parse(body []byte) (Event, error) {
	var in struct {
		V int `json:"v"`
		Event
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return Event{}, errors.New("it is not an event, or one of a newer version")
	}
	if _, err := d.Token(); err != io.EOF || in.V != 1 {
		return Event{}, errors.New("it is not an event of version 1")
	}
	again, err := in.Canonical()
	if err != nil || !bytes.Equal(again, body) {
		return Event{}, errNotCanonical
	}
	return in.Event, nil
}

var errNotCanonical = errors.New("it is not in the canonical form")

// columnsOf gives what the columns of an event must say.
func columnsOf(e Event) Columns {
	return Columns{At: e.At.UnixMicro(), ID: e.ID, Type: string(e.Type), Actor: string(e.Actor),
		Person: e.Subject.Person, Item: e.Subject.Item, Patient: e.Subject.Patient, Link: e.Subject.Link}
}

// view is the columns as they stand in a body, without copies of them.
type view struct {
	seq, at                                      int64
	id, kind, actor, person, item, patient, link []byte
}

// same compares the columns with joined ones.
func (v view) same(joined string) bool {
	var number [20]byte
	at := strconv.AppendInt(number[:0], v.at, 10)
	for i, part := range [...][]byte{at, v.id, v.kind, v.actor, v.person, v.item, v.patient, v.link} {
		if i > 0 {
			if joined == "" || joined[0] != Between[0] {
				return false
			}
			joined = joined[1:]
		}
		if len(joined) < len(part) || joined[:len(part)] != string(part) || bytes.IndexByte(part, Between[0]) >= 0 {
			return false
		}
		joined = joined[len(part):]
	}
	return joined == ""
}

// same compares the columns with joined ones.
func (c Columns) same(joined string) bool {
	return c.Join() == joined && strings.Count(joined, Between) == 7
}

// look is Parse for the usual case, several times as fast: it accepts only
// bodies that Parse accepts, and of those not all. Whoever gets false asks
// Parse, which decides.
func look(body []byte) (v view, ok bool) {
	c := cursor{b: body}
	c.literal(`{"v":1,"seq":`)
	v.seq = c.number()
	c.literal(`,"id":`)
	v.id = c.text()
	c.literal(`,"at":"`)
	v.at = c.time()
	c.literal(`","type":`)
	v.kind = c.text()
	v.actor = c.optional(`,"actor":`)
	c.optional(`,"session":`)
	c.optional(`,"request":`)
	c.literal(`,"subject":{`)
	first := true
	for _, name := range subjectNames {
		said := c.optional(name[bit(first):])
		if said == nil {
			continue
		}
		first = false
		switch name {
		case `,"person":`:
			v.person = said
		case `,"item":`:
			v.item = said
		case `,"patient":`:
			v.patient = said
		case `,"link":`:
			v.link = said
		}
	}
	c.literal(`}`)
	if c.skip(`,"detail":{`) {
		c.detail()
	}
	c.literal(`}`)
	return v, !c.bad && c.i == len(body)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// subjectNames are the fields of a Subject in their order, each as it stands
// in a body after another.
var subjectNames = func() []string {
	var out []string
	t := reflect.TypeFor[Subject]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		out = append(out, `,"`+name+`":`)
	}
	return out
}()

// cursor walks over a body. Once it is bad it stays so.
type cursor struct {
	b   []byte
	i   int
	bad bool
}

// skip passes over s, if it is here.
func (c *cursor) skip(s string) bool {
	if c.bad || len(c.b)-c.i < len(s) || string(c.b[c.i:c.i+len(s)]) != s {
		return false
	}
	c.i += len(s)
	return true
}

func (c *cursor) literal(s string) {
	if !c.skip(s) {
		c.bad = true
	}
}

// plain are the bytes that stand for themselves in a string as Go writes it.
var plain = func() (t [256]bool) {
	for b := byte(0x20); b < 0x7f; b++ {
		t[b] = !strings.ContainsRune(`"\<>&`, rune(b))
	}
	return t
}()

// quoted reads a string that needs no escapes.
func (c *cursor) quoted() []byte {
	c.literal(`"`)
	if c.bad {
		return nil
	}
	from := c.i
	for c.i < len(c.b) && plain[c.b[c.i]] {
		c.i++
	}
	out := c.b[from:c.i]
	c.literal(`"`)
	return out
}

// text reads a string that is not empty.
func (c *cursor) text() []byte {
	out := c.quoted()
	if len(out) == 0 {
		c.bad = true
	}
	return out
}

// optional reads a field that is left out when it is empty.
func (c *cursor) optional(name string) []byte {
	if !c.skip(name) {
		return nil
	}
	return c.text()
}

// detail reads the rest of an object of strings whose names ascend.
func (c *cursor) detail() {
	var before []byte
	for n := 0; !c.bad; n++ {
		name := c.text()
		if n > 0 && bytes.Compare(before, name) >= 0 {
			c.bad = true
		}
		c.literal(`:`)
		c.quoted()
		before = name
		if c.skip(`}`) {
			return
		}
		c.literal(`,`)
	}
}

// number reads a positive number.
func (c *cursor) number() (n int64) {
	from := c.i
	for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' && c.i-from < 18 {
		n = n*10 + int64(c.b[c.i]-'0')
		c.i++
	}
	if c.i == from || c.b[from] == '0' {
		c.bad = true
	}
	return n
}

// digits reads n digits.
func (c *cursor) digits(n int) (v int) {
	if c.bad || len(c.b)-c.i < n {
		c.bad = true
		return 0
	}
	for _, b := range c.b[c.i : c.i+n] {
		if b < '0' || b > '9' {
			c.bad = true
		}
		v = v*10 + int(b-'0')
	}
	c.i += n
	return v
}

// time reads a time as Go writes it in UTC with at most microseconds, and
// gives microseconds since 1970.
func (c *cursor) time() int64 {
	year := c.digits(4)
	c.literal("-")
	month := c.digits(2)
	c.literal("-")
	day := c.digits(2)
	c.literal("T")
	hour := c.digits(2)
	c.literal(":")
	minute := c.digits(2)
	c.literal(":")
	second := c.digits(2)
	micro := 0
	if c.skip(".") {
		from := c.i
		for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' && c.i-from < 6 {
			micro = micro*10 + int(c.b[c.i]-'0')
			c.i++
		}
		if c.i == from || c.b[c.i-1] == '0' {
			c.bad = true
		}
		for range 6 - (c.i - from) {
			micro *= 10
		}
	}
	c.literal("Z")
	if c.bad || year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		c.bad = true
		return 0
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, micro*1000, time.UTC)
	if t.Day() != day {
		c.bad = true
	}
	return t.UnixMicro()
}
