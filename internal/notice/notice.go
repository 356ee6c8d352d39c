// Package notice is the vocabulary of telling staff that something waits for
// them. A notice never holds anything about a patient: it says that there is
// something, and that one must sign in to see it.
package notice

// Kind says what waits.
type Kind string

const (
	Asked    Kind = "mail-asked"    // a question was asked
	Answered Kind = "mail-answered" // a question of one's own was answered
	More     Kind = "mail-more"     // another picture is wanted
	Added    Kind = "mail-added"    // something was added to a question
	Review   Kind = "mail-review"   // a breach was reported, or emergency access taken
)

// Push is the kind of job that tells a person's browsers, whatever waits, and
// PushText what they show.
const (
	Push     = "push"
	PushText = "Something waits for you in Wardseal"
)

// Kinds lists those that are told by mail.
func Kinds() []Kind { return []Kind{Asked, Answered, More, Added, Review} }

// words are a subject, a sentence, and the page that shows what waits.
var words = map[Kind][3]string{
	Asked:    {"You are asked about a picture", "A colleague has asked you, your team or your role about a clinical picture.", "/inbox?box=to-me"},
	Answered: {"Your question was answered", "A colleague has answered a question that you asked.", "/inbox?box=mine"},
	More:     {"Another picture is wanted", "A colleague has asked for another picture.", "/inbox?box=mine"},
	Added:    {"Something was added to a question", "A colleague has added to a question that is for you, your team or your role.", "/inbox?box=to-me"},
	Review:   {"Something waits for your review", "A breach was reported, or somebody took emergency access.", "/review"},
}

// Text gives the subject and the body of a notice. base is the address of the
// server.
func (k Kind) Text(base string) (subject, body string) {
	w := words[k]
	return "Wardseal: " + w[0], w[1] + "\r\n\r\nSign in to see it: " + base + w[2] + "\r\n\r\nThis message says nothing about a patient, on purpose. Please do not answer it.\r\n"
}
