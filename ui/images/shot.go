package images

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

const (
	// shotSide is the largest width and height of a screenshot in pixels.
	shotSide = 1280
	// shotQuality is the quality with which a screenshot is encoded.
	shotQuality = 85
)

// encodeShot returns an image in the format JPEG, with at most the size of a screenshot and a white background.
func encodeShot(content []byte) ([]byte, error) {
	decoded, err := decodeImage(content)
	if err != nil {
		return nil, err
	}
	bounds := decoded.Bounds()
	longest := max(bounds.Dx(), bounds.Dy(), shotSide)
	shot := image.NewRGBA(image.Rect(0, 0, max(bounds.Dx()*shotSide/longest, 1), max(bounds.Dy()*shotSide/longest, 1)))
	drawScaled(shot, shot.Bounds(), decoded)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, shot, &jpeg.Options{Quality: shotQuality}); err != nil {
		return nil, fmt.Errorf("encode screenshot: %w", err)
	}
	return out.Bytes(), nil
}
