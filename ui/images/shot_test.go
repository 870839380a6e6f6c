package images

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	. "github.com/onsi/gomega"
)

func TestShotsAreScaledDown(t *testing.T) {
	for _, c := range []struct {
		why                           string
		width, height, wanted, tallTo int
	}{
		{"a large image is scaled", 2560, 1600, 1280, 800},
		{"a tall image is scaled by its height", 100, 2560, 50, 1280},
		{"a small image keeps its size", 320, 200, 320, 200},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			var file bytes.Buffer
			source := image.NewNRGBA(image.Rect(0, 0, c.width, c.height))
			for i := range source.Pix {
				source.Pix[i] = 255 // White.
			}
			source.Set(0, 0, color.Black)
			g.Expect(png.Encode(&file, source)).To(Succeed())
			shot, err := encodeShot(file.Bytes())
			g.Expect(err).NotTo(HaveOccurred())
			decoded, err := jpeg.Decode(bytes.NewReader(shot))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]int{decoded.Bounds().Dx(), decoded.Bounds().Dy()}).To(Equal([]int{c.wanted, c.tallTo}))
			red, _, _, _ := decoded.At(c.wanted-1, c.tallTo-1).RGBA()
			g.Expect(red>>8).To(BeNumerically(">", 240), "the other corner is white")
		})
	}
	_, err := encodeShot([]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"))
	NewWithT(t).Expect(err).To(HaveOccurred())
}
