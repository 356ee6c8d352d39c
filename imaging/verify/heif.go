package verify

import (
	"context"
	"io"
)

func heif(ctx context.Context, src io.ReaderAt, size int64) error {
	return &Finding{"a format without a verifier", 0}
}
