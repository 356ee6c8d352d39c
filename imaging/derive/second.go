package derive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"strconv"

	"github.com/wardseal/wardseal/internal/media"
)

// Still is a picture that the video tool read, as PNG, with the original's
// orientation, profile and coding. Its bytes are untrusted like any picture's.
type Still struct {
	png   []byte
	alpha int // so many of the bytes are a second PNG, the alpha plane
}

// Still has the video tool read what the decoders here do not: HEIC and AVIF
// past what the WebAssembly decodes or has memory for, lossless JPEG, and GIFs
// whose frame is larger than they say. The picture is the next n bytes of src:
// clean bytes only. What the tool does not read to its end without a fault
// wraps ErrUndecodable.
func (f *Films) Still(ctx context.Context, src io.Reader, n int64, format media.Format) (Still, error) {
	read, ok := map[media.Format]func(context.Context, []byte) (Still, error){
		media.JPEG: f.stillJPEG, media.GIF: f.stillGIF, media.HEIC: f.stillHEIC, media.AVIF: f.stillAVIF,
	}[format]
	if !ok {
		return Still{}, fmt.Errorf("%w: the video tool is not asked about %s", ErrUndecodable, format)
	}
	if n > maxSource {
		return Still{}, fmt.Errorf("%w: it has more than %d bytes", ErrLimit, maxSource)
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.FrameFor)
	defer cancel()
	b := make([]byte, n)
	if _, err := io.ReadFull(src, b); err != nil {
		return Still{}, fmt.Errorf("derive: read the picture: %w", err)
	}
	s, err := read(ctx, b)
	if errors.Is(err, errHEIF) || errors.Is(err, errHEIFForm) {
		err = fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	return s, err
}

func (f *Films) stillGIF(ctx context.Context, b []byte) (Still, error) {
	if len(b) < 10 {
		return Still{}, ErrUndecodable
	}
	canvas := image.Pt(int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:])))
	png, err := f.png(ctx, b, canvas, "gif", "format=rgba", facts{orientation: 1})
	return Still{png: png}, err
}

// stillJPEG reads lossless JPEGs of eight bits. The tool takes 12 bits for 8, and
// all else is for the decoders here.
func (f *Films) stillJPEG(ctx context.Context, b []byte) (Still, error) {
	size, components, ok := losslessJPEG(b)
	pixels := map[int]string{1: "gray", 3: "rgb24"}[components]
	if !ok || pixels == "" {
		return Still{}, fmt.Errorf("%w: no lossless JPEG in grey or colour", ErrUndecodable)
	}
	png, err := f.png(ctx, b, size, "jpeg_pipe", "scale=in_range=pc:flags="+exactly+",format="+pixels, jpegFacts(b))
	return Still{png: png}, err
}

// losslessJPEG reads the frame header (ITU-T T.81, B.2.2), and reports whether
// it is of the lossless process with Huffman codes, and eight bits.
func losslessJPEG(b []byte) (size image.Point, components int, ok bool) {
	for i := 2; i+10 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		switch {
		case marker == 0xff:
			i++
			continue
		case marker == 0xc3:
			size = image.Pt(int(binary.BigEndian.Uint16(b[i+7:])), int(binary.BigEndian.Uint16(b[i+5:])))
			return size, int(b[i+9]), b[i+4] == 8
		}
		i += 2 + int(binary.BigEndian.Uint16(b[i+2:]))
	}
	return size, 0, false
}

// exactly has the tool convert colours without shortcuts.
const exactly = "accurate_rnd+full_chroma_int+full_chroma_inp+bicubic"

func (f *Films) stillHEIC(ctx context.Context, b []byte) (Still, error) {
	said := avifFacts(b)
	said.coding = heicFacts(b).coding
	return f.stillHEIF(ctx, b, said)
}

func (f *Films) stillAVIF(ctx context.Context, b []byte) (Still, error) {
	return f.stillHEIF(ctx, b, avifFacts(b))
}

// stillHEIF decodes the primary picture and its alpha plane; said is what the
// boxes say of it.
func (f *Films) stillHEIF(ctx context.Context, b []byte, said facts) (Still, error) {
	whole, err := heifFacts(b)
	if err != nil {
		return Still{}, err
	}
	if whole.largest.pixels() > uint64(f.cfg.MaxPixels) {
		return Still{}, ErrBomb
	}
	items, err := readHEIFItems(b)
	if err != nil {
		return Still{}, err
	}
	picture, err := items.plane(items.primary)
	if err != nil {
		return Still{}, err
	}
	scale := "scale=flags=" + exactly
	if c := said.coding; c != (coding{}) {
		scale += ":in_range=" + map[bool]string{true: "pc", false: "tv"}[c.full]
		switch c.matrix {
		case matrixIdentity: // the tool knows it of the stream
		case matrixBT709:
			scale += ":in_color_matrix=bt709"
		case matrixBT2020, 10:
			scale += ":in_color_matrix=bt2020"
		default:
			scale += ":in_color_matrix=bt601"
		}
	}
	pixels := "rgb24"
	if picture.gray {
		pixels = "gray"
	}
	a, ok, err := items.alpha(items.primary)
	if err != nil {
		return Still{}, err
	}
	var s Still
	if s.png, err = f.plane(ctx, picture, scale+",format="+pixels, said); err != nil {
		return Still{}, err
	}
	if ok {
		plane, err := items.plane(a)
		if err != nil {
			return Still{}, err
		}
		if plane.size != picture.size {
			return Still{}, errHEIFForm
		}
		// Alpha uses its whole range, whatever the stream says.
		alpha, err := f.plane(ctx, plane, "extractplanes=y,scale=in_range=pc:out_range=pc,format=gray", facts{orientation: 1, crop: said.crop})
		if err != nil {
			return Still{}, err
		}
		s.png, s.alpha = append(s.png, alpha...), len(alpha)
	}
	return s, nil
}

// plane has the tool decode the coded pictures of a plane and lay them together.
func (f *Films) plane(ctx context.Context, p codedPlane, filters string, said facts) ([]byte, error) {
	if int64(p.columns*p.tile.X)*int64(p.rows*p.tile.Y) > 2*f.cfg.MaxPixels {
		return nil, ErrBomb
	}
	if p.columns*p.rows > 1 {
		filters += fmt.Sprintf(",tile=%dx%d", p.columns, p.rows)
	}
	show := said.crop.Intersect(image.Rectangle{Max: p.size})
	if show.Empty() {
		show = image.Rectangle{Max: p.size}
	}
	filters += fmt.Sprintf(",crop=%d:%d:%d:%d:exact=1", show.Dx(), show.Dy(), show.Min.X, show.Min.Y)
	return f.png(ctx, p.stream, show.Size(), map[string]string{"hvc1": "hevc", "av01": "obu"}[p.codec], filters, said)
}

// png runs the tool over one picture and gives it as a PNG of exactly the size
// that it is known to have.
func (f *Films) png(ctx context.Context, b []byte, size image.Point, demuxer, filters string, said facts) ([]byte, error) {
	if size.X < 1 || size.Y < 1 {
		return nil, fmt.Errorf("%w: it has no size", ErrUndecodable)
	}
	pixels := int64(size.X) * int64(size.Y)
	if size.X > maxSide || size.Y > maxSide || pixels > f.cfg.MaxPixels {
		return nil, ErrBomb
	}
	out, err := f.output(ctx, min(maxSource, 4*pixels+1<<20), bytes.NewReader(b), f.ffmpeg,
		"-hide_banner", "-v", "error", "-nostdin", "-threads", "2", "-noautorotate", "-xerror", "-err_detect", "explode", "-max_pixels", strconv.FormatInt(f.cfg.MaxPixels, 10),
		"-protocol_whitelist", "pipe", "-f", demuxer, "-i", "pipe:0", "-map", "0:V:0", "-vf", filters,
		"-frames:v", "1", "-c:v", "png", "-pred", "none", "-compression_level", "1", "-f", "image2pipe", "pipe:1")
	if err != nil {
		return nil, err
	}
	return chunksOf(out, size, said)
}

// chunksOf keeps of the tool's PNG what carries pixels, and adds what the
// original says of them.
func chunksOf(b []byte, size image.Point, said facts) ([]byte, error) {
	const signature = 8
	if len(b) < signature {
		return nil, fmt.Errorf("%w: nothing came of it", ErrUndecodable)
	}
	out := bytes.NewBuffer(make([]byte, 0, len(b)+len(said.profile)+1<<10))
	out.Write(b[:signature])
	for b = b[signature:]; len(b) >= 12; {
		n := int64(binary.BigEndian.Uint32(b)) + 12
		if n > int64(len(b)) {
			break
		}
		switch string(b[4:8]) {
		case "IHDR":
			if n < 12+8 || binary.BigEndian.Uint64(b[8:]) != uint64(size.X)<<32|uint64(size.Y) {
				return nil, fmt.Errorf("%w: it is not of the size that its header says", ErrUndecodable)
			}
			out.Write(b[:n])
			said.chunks(out)
		case "IDAT", "IEND":
			out.Write(b[:n])
		}
		b = b[n:]
	}
	return out.Bytes(), nil
}

// chunks writes what a picture says of itself the way that pngFacts reads it.
func (f facts) chunks(w io.Writer) {
	chunk := func(kind string, body []byte) {
		b := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), kind...)
		b = append(b, body...)
		_, _ = w.Write(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))) // a buffer
	}
	if f.profile != nil {
		chunk("iCCP", deflate(f.profile))
	} else if c := f.coding; c.primaries > 0 && c.transfer > 0 && c.primaries < 256 && c.transfer < 256 {
		chunk("cICP", []byte{byte(c.primaries), byte(c.transfer), matrixIdentity, 1})
	}
	if f.orientation > 1 {
		chunk("eXIf", append([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), byte(f.orientation), 0, 0, 0, 0, 0, 0))
	}
}
