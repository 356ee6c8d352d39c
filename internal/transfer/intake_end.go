package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// refuse ends an upload before it is whole, and gives the reason.
func (n *Intake) refuse(ctx context.Context, who access.Principal, u meta.Upload, why *fault.Error) error {
	return errors.Join(n.Uploads.refused(ctx, who, why), n.end(ctx, who, u, meta.UploadRefused, why))
}

// Remove ends an upload that its person does not want filed, with its parts.
func (n *Intake) Remove(ctx context.Context, who access.Principal, id string) error {
	if _, err := n.own(ctx, who, id); err != nil {
		return err
	}
	done, err := n.turn(ctx, id, func() {})
	if err != nil {
		return err
	}
	defer done()
	u, err := n.own(ctx, who, id)
	if err != nil {
		return err
	}
	if u.State == meta.UploadRemoved {
		return nil
	}
	err = n.end(ctx, who, u, meta.UploadRemoved, nil)
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "upload-ended", "This upload has ended or is being filed. Its outcome says how.")
	}
	return err
}

// end records how an upload ended and takes its parts away.
func (n *Intake) end(ctx context.Context, who access.Principal, u meta.Upload, state string, why *fault.Error) error {
	u.State = state
	if why != nil {
		u.Problem = writeProblem(why)
	}
	ev := audit.NewEvent(audit.UploadEnded, who, audit.Subject{Item: string(u.Item)}).With("upload", u.ID).With("how", state)
	if err := n.Store.EndUpload(ctx, u, ev); err != nil {
		if errors.Is(err, meta.ErrNotFound) {
			return err
		}
		return down(fmt.Errorf("end the upload: %w", err))
	}
	if err := n.clear(ctx, u.ID); err != nil {
		slog.WarnContext(ctx, "remove the parts of an upload", "upload", u.ID, "error", err) // the sweep does it
	}
	return nil
}

// clear removes the parts of an ended upload.
func (n *Intake) clear(ctx context.Context, id string) error {
	parts, err := n.Store.Parts(ctx, id)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := n.Objects.Delete(ctx, blob.Key(p.ObjectKey)); err != nil {
			return err
		}
	}
	return n.Store.ForgetParts(ctx, id)
}

func (n *Intake) delete(ctx context.Context, key blob.Key) {
	if err := n.Objects.Delete(ctx, key); err != nil {
		slog.WarnContext(ctx, "remove a part", "error", err) // the sweep does it
	}
}

// problem is how the reason of a refusal is kept. It is what the phone is
// told, which never says anything about a person.
type problem struct {
	Kind        fault.Kind
	Code, Field string
	Message     words.Text // in English
}

func writeProblem(e *fault.Error) string {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(problem{e.Kind, e.Code, e.Field, e.Message}); err != nil {
		panic(err) // strings and a number
	}
	return b.String()
}

func readProblem(text string) *fault.Error {
	var p problem
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fault.From(fmt.Errorf("read the reason of a refusal: %w", err))
	}
	return &fault.Error{Kind: p.Kind, Code: p.Code, Message: p.Message, Field: p.Field}
}
