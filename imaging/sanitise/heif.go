package sanitise

import (
	"context"
	"io"
)

func heif(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	return nil, refuse("not-yet", "This kind of file is not accepted yet.")
}
