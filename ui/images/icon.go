package images

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif"  // The decoder of GIF.
	_ "image/jpeg" // The decoder of JPEG.
	"image/png"

	_ "golang.org/x/image/webp" // The decoder of WebP.
)

const (
	// iconSide is the width and the height of an icon in pixels.
	iconSide = 96
	// maxSide is the largest width and height of an image that is decoded.
	maxSide = 4096
	// maxDecodedBytes bounds the memory for the pixels of an image.
	maxDecodedBytes = 96 << 20
)

// encodeIcon returns an image in the format PNG, with the size of an icon and a white background.
func encodeIcon(content []byte) ([]byte, error) {
	decoded, err := decodeImage(content)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, scaleToIcon(decoded)); err != nil {
		return nil, fmt.Errorf("encode icon: %w", err)
	}
	return out.Bytes(), nil
}

// decodeImage returns the image of a file, unless it is too large.
func decodeImage(content []byte) (image.Image, error) {
	size, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("decode image: %w", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxSide || size.Height > maxSide || size.Width*size.Height > maxPixels(format, size.ColorModel) {
		return nil, fmt.Errorf("decode image: %s image with %d x %d pixels is too large", format, size.Width, size.Height)
	}
	decoded, _, err := image.Decode(newMemoryReader(bytes.NewReader(content)))
	if err != nil {
		return nil, fmt.Errorf("decode image: %w", err)
	}
	return decoded, nil
}

// maxPixels returns the number of pixels for which the decoder of a format has enough memory. PNG and GIF
// images of the largest width and height have as many, others a quarter.
func maxPixels(format string, model color.Model) int {
	bytesPerPixel := 6 // The pixels, and the pixels of a pass of an interlaced image.
	switch {
	case format == "jpeg" || format == "webp":
		// A progressive JPEG image has 4 bytes for each coefficient of up to 4 components. A WebP image has
		// Huffman tables besides its pixels.
		bytesPerPixel = 24
	case model == color.NRGBA64Model || model == color.RGBA64Model:
		bytesPerPixel = 12
	}
	return maxDecodedBytes / bytesPerPixel
}

// scaleToIcon returns an image scaled to fit an icon, in its center.
func scaleToIcon(source image.Image) *image.RGBA {
	bounds := source.Bounds()
	longest := max(bounds.Dx(), bounds.Dy())
	width, height := max(bounds.Dx()*iconSide/longest, 1), max(bounds.Dy()*iconSide/longest, 1)
	icon := image.NewRGBA(image.Rect(0, 0, iconSide, iconSide))
	draw.Draw(icon, icon.Bounds(), image.White, image.Point{}, draw.Src)
	drawScaled(icon, image.Rect(0, 0, width, height).Add(image.Pt((iconSide-width)/2, (iconSide-height)/2)), source)
	return icon
}

// drawScaled draws an image scaled to a rectangle.
func drawScaled(target *image.RGBA, place image.Rectangle, source image.Image) {
	bounds := source.Bounds()
	for y := range place.Dy() {
		rows := flattenRows(source, y*bounds.Dy()/place.Dy(), (y+1)*bounds.Dy()/place.Dy())
		for x := range place.Dx() {
			target.SetRGBA(place.Min.X+x, place.Min.Y+y, averageOf(rows, x*bounds.Dx()/place.Dx(), (x+1)*bounds.Dx()/place.Dx()))
		}
	}
}

// flattenRows returns rows of an image on a white background, at least one. The rows of an image are not
// flattened all at once, because this needs as much memory as the image.
func flattenRows(source image.Image, from, to int) *image.RGBA {
	bounds := source.Bounds()
	rows := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), max(to-from, 1)))
	draw.Draw(rows, rows.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(rows, rows.Bounds(), source, bounds.Min.Add(image.Pt(0, from)), draw.Over)
	return rows
}

// averageOf returns the average color of the pixels in columns of an image, at least of one column.
func averageOf(rows *image.RGBA, from, to int) color.RGBA {
	var red, green, blue, count int
	for y := range rows.Rect.Dy() {
		for x := from; x < max(to, from+1); x++ {
			pixel := rows.RGBAAt(x, y)
			red, green, blue, count = red+int(pixel.R), green+int(pixel.G), blue+int(pixel.B), count+1
		}
	}
	return color.RGBA{uint8(red / count), uint8(green / count), uint8(blue / count), 255}
}
