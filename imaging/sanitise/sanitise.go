// Package sanitise removes every trace that a camera, phone or editor left in
// a file, and keeps the picture.
//
// It keeps by list and drops the rest: what is copied is only what rendering
// needs, so a vendor's new tag is gone by default. Pixels and samples are
// untouched, bit for bit; the colour profile (rendering tags only) and the
// orientation survive. It decodes nothing, and allocates nothing in proportion
// to a number it read. What it does not understand it refuses.
//
// Every result is walked again by imaging/verify, which is written apart from
// this package and shares no parser with it. Nothing is certified otherwise.
package sanitise

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/media/clean"
	"github.com/wardseal/wardseal/internal/words"
)

// Options are what the caller may choose.
type Options struct {
	MaxPixels int64 // pictures of more pixels are refused; 0 means DefaultMaxPixels
	DropSound bool  // leave out the sound of videos: a voice can name a patient

	Step func(name string) // if set, hears when the file is "sanitised" and when it is "verified"
}

// DefaultMaxPixels is the largest picture accepted when Options does not say.
const DefaultMaxPixels = 50_000_000

// plan is what a container's sanitiser returns.
type plan struct {
	out     *splice.Splice
	receipt media.Receipt // without sizes and hashes
	width   int           // of the coded picture, before orientation
	height  int
	format  media.Format // when the content is of another than the brands say
}

// Result is a clean file and the account of what was removed from it.
type Result struct {
	Clean   clean.Media
	Receipt media.Receipt // hashes are left to whoever reads the bytes
	Width   int           // pixels as coded, before orientation is applied
	Height  int
}

// containers lists the sanitiser of each format, one file each.
var containers = map[media.Format]func(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error){
	media.JPEG:     jpeg,
	media.PNG:      png,
	media.GIF:      gif,
	media.WebP:     webp,
	media.HEIC:     heif,
	media.AVIF:     heif,
	media.TIFF:     tiff,
	media.MP4:      bmff,
	media.MOV:      bmff,
	media.ThreeGP:  bmff,
	media.WebM:     matroska,
	media.Matroska: matroska,
}

// File sanitises and verifies the size bytes of src, a file of the given
// format. A file that is refused gives a *fault.Error whose message says why
// in words that a user understands; any other error comes from reading src or
// from ctx. src must stay open while the result is in use.
func File(ctx context.Context, src io.ReaderAt, size int64, format media.Format, opt Options) (Result, error) {
	if opt.MaxPixels == 0 {
		opt.MaxPixels = DefaultMaxPixels
	}
	sanitise, ok := containers[format]
	if !ok {
		return Result{}, fault.New(fault.Unsupported, "format-not-accepted", "This kind of file is not accepted. Send the photo or video as the phone made it.")
	}
	p, err := sanitise(ctx, src, size, opt)
	if err != nil {
		return Result{}, fmt.Errorf("sanitise %s: %w", format, err)
	}
	if p.format != media.Unknown {
		format = p.format
	}
	if err := p.out.Err(); err != nil {
		return Result{}, refuse("damaged", "This file is damaged and cannot be cleaned safely. Take or export it again.").With(err)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if opt.Step == nil {
		opt.Step = func(string) {}
	}
	opt.Step("sanitised")
	if err := verify.File(ctx, p.out, p.out.Size(), format); err != nil {
		var found *verify.Finding
		if errors.As(err, &found) {
			return Result{}, refuse("not-certified", "This file holds something that could not be accounted for, so it was refused. Take or export it again.").With(err)
		}
		return Result{}, fmt.Errorf("verify %s: %w", format, err)
	}
	opt.Step("verified")
	p.receipt.Format = format.String()
	p.receipt.BytesBefore, p.receipt.BytesAfter = size, p.out.Size()
	return Result{
		Clean:   clean.Certify(format, p.out, p.out.Size()),
		Receipt: p.receipt, Width: p.width, Height: p.height,
	}, nil
}

// refuse makes the error of a file that will not be accepted.
func refuse(code string, message words.Text) *fault.Error {
	return fault.New(fault.Invalid, "media-"+code, message).In("file")
}
