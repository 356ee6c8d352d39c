package transfer

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/media"
)

// filmSizes are the pictures that every video gets.
func filmSizes() []derive.Size {
	return []derive.Size{{Rendition: media.Poster, LongEdge: 2048}, {Rendition: media.Thumbnail, LongEdge: 320}}
}

// look opens the original of a video and asks what it is. Each pass over a
// video opens it anew: it comes as a stream.
func (d *Derivations) look(ctx context.Context, id media.ItemID) (derive.Film, media.Format, error) {
	original, format, done, err := d.original(ctx, id)
	if err != nil {
		return derive.Film{}, format, err
	}
	defer done()
	film, err := d.Films.Look(ctx, original, format)
	if err != nil {
		err = fmt.Errorf("look at the video: %w", err)
	}
	return film, format, err
}

// poster makes a video's poster and thumbnail, and files the further job of
// making it playable where browsers may not play it as it is.
func (d *Derivations) poster(ctx context.Context, job jobs.Job) error {
	film, format, err := d.look(ctx, job.Item)
	if err != nil {
		return err
	}
	if !film.Plays(format) {
		if err := d.add(ctx, PlayableJob, job); err != nil {
			return err
		}
	}
	missing, err := d.missing(ctx, job.Item, filmSizes())
	if err != nil || missing == nil {
		return err
	}
	original, _, done, err := d.original(ctx, job.Item)
	if err != nil {
		return err
	}
	defer done()
	still, err := d.Films.Frame(ctx, original, format, film, missing[0].LongEdge)
	if err != nil {
		return fmt.Errorf("take a frame: %w", err)
	}
	out, err := d.Maker.DeriveFrame(ctx, still, missing)
	if err != nil {
		return fmt.Errorf("derive: %w", err)
	}
	return d.keepAll(ctx, job.Item, out.Pictures)
}

// playable makes a video's playable form. It goes through the spool, where it
// is encrypted, because only whole can it be put in the order of playing.
func (d *Derivations) playable(ctx context.Context, job jobs.Job) error {
	missing, err := d.missing(ctx, job.Item, []derive.Size{{Rendition: media.Playable}})
	if err != nil || missing == nil {
		return err
	}
	film, format, err := d.look(ctx, job.Item)
	if err != nil {
		return err
	}
	original, _, done, err := d.original(ctx, job.Item)
	if err != nil {
		return err
	}
	defer done()
	r, w := io.Pipe()
	go func() { w.CloseWithError(d.Films.Play(ctx, original, format, film, w, d.progress(ctx, job.ID))) }()
	file, err := d.Spool.Fill(ctx, r, d.MaxBytes)
	_ = r.CloseWithError(io.ErrClosedPipe)
	if err != nil {
		return fmt.Errorf("make it playable: %w", err)
	}
	defer closing(file)
	ordered, err := derive.InOrder(file, file.Size())
	if err != nil {
		return fmt.Errorf("put it in order: %w", err)
	}
	return d.keep(ctx, job.Item, media.Playable, media.MP4, ordered, ordered.Size())
}

// progressEvery is how often at most progress is written down.
const progressEvery = 2 * time.Second

// progress notes how far a job is. That it could not is of no consequence.
func (d *Derivations) progress(ctx context.Context, job string) func(float64) {
	var last time.Time
	return func(share float64) {
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			_ = d.Store.SetProgress(ctx, job, int(share*1000))
		}
	}
}
