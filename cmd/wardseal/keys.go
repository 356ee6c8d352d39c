package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
)

// keysCmd is what operators do with keys.
type keysCmd struct {
	Init    keysInitCmd    `cmd:"" help:"Make the root identity and the escrow recipient of a new deployment."`
	Status  keysStatusCmd  `cmd:"" help:"Say how each key is, and what is to be done. Status 1 when anything is."`
	Rotate  keysRotateCmd  `cmd:"" help:"Take a new key in place of an old one, while the servers go on."`
	Escrow  keysEscrowCmd  `cmd:"" help:"Split the escrow identity among people, try it, or change who holds it."`
	Recover keysRecoverCmd `cmd:"" help:"Make a new root identity when the old one is lost, with the escrow identity."`
	Item    keysItemCmd    `cmd:"" help:"Print the age identity of one item, for the stock age command. Audited; root only."`
	Public  keysPublicCmd  `cmd:"" help:"Print the public halves of the keys that sign manifests and receipts."`
}

type keysInitCmd struct {
	Data            string      `required:"" placeholder:"DIR" type:"path" env:"WARDSEAL_DATA" help:"The data folder."`
	Keys            config.Keys `embed:"" prefix:"keys-"`
	EscrowOut       string      `type:"path" placeholder:"FILE" help:"Where to write a new escrow identity. Move it offline: it opens everything."`
	EscrowRecipient string      `placeholder:"AGE1PQ…" help:"An escrow recipient made elsewhere, instead of a new one."`
	RootRecipient   []string    `placeholder:"AGE1…" help:"Encrypt the root file to this age recipient, such as a plugin's for a TPM, a YubiKey or a key service."`
}

func (k *keysInitCmd) Run(out io.Writer) error {
	if (k.EscrowOut == "") == (k.EscrowRecipient == "") {
		return errors.New("say either --escrow-out or --escrow-recipient: without escrow, a lost root key loses every picture")
	}
	cfg := config.Default(k.Data)
	cfg.Keys = k.Keys
	if err := config.InitKeys(cfg, k.EscrowOut, k.EscrowRecipient, k.RootRecipient...); err != nil {
		return err
	}
	fmt.Fprintf(out, "root identity: %s\nescrow recipient: %s\n", cfg.RootFile(), cfg.EscrowFile())
	if k.EscrowOut != "" {
		fmt.Fprintf(out, "escrow identity: %s (move it offline now, and keep two copies)\n", k.EscrowOut)
	}
	return nil
}

type keysItemCmd struct {
	config.Config `group:"Settings, as for serve"`
	ID            media.ItemID    `arg:"" help:"The item."`
	Rendition     media.Rendition `default:"original-clean" help:"Which rendition: original-clean, preview, detail, thumbnail, poster or playable."`
}

// Run prints the identity after the release has been recorded: no event, no key.
func (k *keysItemCmd) Run(ctx context.Context, out io.Writer) error {
	if os.Geteuid() != 0 {
		return errors.New("only root may release a key")
	}
	if !media.ValidID(string(k.ID)) || !k.Rendition.Valid() {
		return errors.New("that is not the identifier of an item, or not a rendition")
	}
	if k.PublicURL == "" {
		k.PublicURL = "http://localhost" // not used
	}
	sys, err := config.Open(ctx, k.Config)
	if err != nil {
		return err
	}
	defer sys.Close()
	row, wrapped, err := sys.Store.Rendition(ctx, k.ID, k.Rendition)
	if err != nil {
		return fmt.Errorf("find the rendition: %w", err)
	}
	id, err := sys.Ring.Unwrap(wrapped, row.Format)
	if err != nil {
		return err
	}
	ev := audit.NewEvent(audit.KeyReleased, access.Principal{}, audit.Subject{Item: string(k.ID), Rendition: string(k.Rendition)}).With("by", "command-line")
	if err := sys.Store.AppendEvent(ctx, ev); err != nil {
		return fmt.Errorf("record the release: %w", err)
	}
	fmt.Fprintf(out, "# item %s, %s\n# object %s\n%s\n", k.ID, k.Rendition, row.ObjectKey, id.Reveal())
	return nil
}
