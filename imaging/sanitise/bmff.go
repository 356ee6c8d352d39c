package sanitise

import (
	"context"
	"io"
)

func bmff(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	return nil, refuse("video", "Videos are not accepted yet.")
}
