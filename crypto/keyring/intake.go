package keyring

import (
	"bytes"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/seal"
)

// IntakeHeadBytes is how much of what was sealed to the intake must be there
// before OpenIntake can say whether it was.
const IntakeHeadBytes = seal.HeadBytes

// Intake is the public half of the newest intake identity: what phones encrypt
// to before they keep or send anything, and the ID of its key. The other half
// stays in the ring. What phones still hold to an older one opens as well.
func (r *Ring) Intake() (recipient, id string, err error) {
	k := r.keys.Load()
	if k.intake == nil {
		return "", "", fmt.Errorf("%w: no intake key", ErrNotWhole)
	}
	return k.intake.Recipient().String(), k.intakeID, nil
}

// OpenIntake decrypts what was sealed to the intake, as a stream. ErrWrongKey
// when src is not an age file to the intake alone; nothing past its first
// IntakeHeadBytes is read before that is known. An error of src is passed on.
// A read that fails later means that what follows is not authentic or is cut
// off: nothing of the stream counts before its io.EOF.
func (r *Ring) OpenIntake(src io.Reader) (io.Reader, error) {
	k := r.keys.Load()
	if k.intake == nil {
		return nil, fmt.Errorf("%w: no intake key", ErrNotWhole)
	}
	head := make([]byte, IntakeHeadBytes)
	if n, err := io.ReadFull(src, head); err != nil {
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %d bytes are no sealed file", ErrWrongKey, n)
	}
	if err := seal.CheckHead(head); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrWrongKey, err)
	}
	plain, err := age.Decrypt(io.MultiReader(bytes.NewReader(head), src), k.intakes...)
	if err != nil { // another server may have made a newer one
		r.readAgain()
		plain, err = age.Decrypt(io.MultiReader(bytes.NewReader(head), src), r.keys.Load().intakes...)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it was not sealed to the intake", ErrWrongKey)
	}
	return plain, nil
}

// SealedToIntake reports, from the first IntakeHeadBytes of a file, whether it
// was sealed to the intake.
func (r *Ring) SealedToIntake(head []byte) error {
	_, err := r.OpenIntake(bytes.NewReader(head))
	return err
}
