package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
)

// receiptCmd checks a signed receipt without the server that made it.
type receiptCmd struct {
	Key  string `required:"" placeholder:"HEX" help:"Public half of the key that must have signed, as wardseal keys public prints it."`
	File string `arg:"" type:"existingfile" help:"The receipt, as GET /api/v1/items/{id}/receipt gives it."`
}

// Run prints what the receipt says, and only if it is signed by the key.
func (r *receiptCmd) Run(out io.Writer) error {
	public, err := publicKey(r.Key)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(r.File)
	if err != nil {
		return err
	}
	var doc struct {
		Receipt   json.RawMessage `json:"receipt"`
		Manifest  json.RawMessage `json:"manifest"`
		Key       string          `json:"key"`
		Signature string          `json:"signature"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return fmt.Errorf("this is not a signed receipt: %w", err)
	}
	signed, err := json.Marshal(map[string]any{"manifest": doc.Manifest, "key": doc.Key, "signature": doc.Signature})
	if err != nil {
		return err
	}
	m, err := keyring.VerifyReceipt(public, doc.Receipt, signed)
	if err != nil {
		return errors.New("REFUSED: this receipt was not signed by that key, or was changed since")
	}
	var what media.Receipt
	if err := json.Unmarshal(doc.Receipt, &what); err != nil {
		return fmt.Errorf("read the receipt: %w", err)
	}
	fmt.Fprintf(out, "signed   item %s, %s, filed %s\n", m.Item, m.Format, m.FiledAt.Format(time.RFC3339))
	fmt.Fprintf(out, "before   %d bytes, SHA-256 %s\nafter    %d bytes, SHA-256 %s\n", what.BytesBefore, what.SHA256Before, what.BytesAfter, what.SHA256After)
	for _, t := range what.Removed {
		fmt.Fprintf(out, "removed  %s (%d)\n", t.Kind, t.Count)
	}
	for _, t := range what.Kept {
		fmt.Fprintf(out, "kept     %s: %s\n", t.Kind, t.Why)
	}
	return nil
}

// keysPublicCmd prints what others need to check signatures.
type keysPublicCmd struct {
	config.Config `group:"Settings, as for serve"`
}

// Run prints the public half of each signing key.
func (k *keysPublicCmd) Run(ctx context.Context, out io.Writer) error {
	db, err := config.OpenDatabase(ctx, k.Config)
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := db.SealedKeys(ctx)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	for _, key := range keys {
		if key.Purpose == keyring.PurposeManifest {
			fmt.Fprintf(out, "%s  %s  since %s\n", hex.EncodeToString(key.Public), key.ID, key.CreatedAt.Format(time.DateOnly))
		}
	}
	return nil
}
