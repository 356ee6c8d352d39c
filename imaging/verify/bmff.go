package verify

import (
	"context"
	"io"
)

func bmff(ctx context.Context, src io.ReaderAt, size int64) error {
	return &Finding{"a video", 0}
}
