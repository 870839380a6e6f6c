package images

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzIcon encodes an icon from any file.
func FuzzIcon(f *testing.F) {
	small := image.NewPaletted(image.Rect(0, 0, 3, 2), []color.Color{color.White, color.Black})
	for _, encode := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return png.Encode(b, small) },
		func(b *bytes.Buffer) error { return gif.Encode(b, small, nil) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, small, nil) },
	} {
		var file bytes.Buffer
		if err := encode(&file); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8L"))
	f.Fuzz(func(t *testing.T, content []byte) {
		icon, err := encodeIcon(content)
		if err != nil {
			return
		}
		size, err := png.DecodeConfig(bytes.NewReader(icon))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		NewWithT(t).Expect([]int{size.Width, size.Height}).To(Equal([]int{iconSide, iconSide}))
	})
}
