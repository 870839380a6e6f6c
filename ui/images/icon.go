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
)

const (
	// iconSide is the width and the height of an icon in pixels.
	iconSide = 96
	// maxSide is the largest width and height of an image that is decoded.
	maxSide = 2048
)

// encodeIcon returns an image in the format PNG, with the size of an icon and a white background.
func encodeIcon(content []byte) ([]byte, error) {
	size, format, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("decode icon: %w", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Width > maxSide || size.Height > maxSide {
		return nil, fmt.Errorf("decode icon: %s image has %d x %d pixels, the maximum is %d x %d", format, size.Width, size.Height, maxSide, maxSide)
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("decode icon: %w", err)
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, scaleToIcon(decoded)); err != nil {
		return nil, fmt.Errorf("encode icon: %w", err)
	}
	return out.Bytes(), nil
}

// scaleToIcon returns an image scaled to fit an icon, in its center.
func scaleToIcon(source image.Image) *image.RGBA {
	bounds := source.Bounds()
	flat := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	draw.Draw(flat, flat.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(flat, flat.Bounds(), source, bounds.Min, draw.Over)
	longest := max(bounds.Dx(), bounds.Dy())
	width, height := max(bounds.Dx()*iconSide/longest, 1), max(bounds.Dy()*iconSide/longest, 1)
	icon := image.NewRGBA(image.Rect(0, 0, iconSide, iconSide))
	draw.Draw(icon, icon.Bounds(), image.White, image.Point{}, draw.Src)
	for y := range height {
		for x := range width {
			icon.SetRGBA(x+(iconSide-width)/2, y+(iconSide-height)/2, averageOf(flat, image.Rect(
				x*bounds.Dx()/width, y*bounds.Dy()/height, (x+1)*bounds.Dx()/width, (y+1)*bounds.Dy()/height)))
		}
	}
	return icon
}

// averageOf returns the average color of the pixels of a rectangle, which has at least one pixel.
func averageOf(flat *image.RGBA, r image.Rectangle) color.RGBA {
	r.Max.X, r.Max.Y = max(r.Max.X, r.Min.X+1), max(r.Max.Y, r.Min.Y+1)
	var red, green, blue, count int
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			pixel := flat.RGBAAt(x, y)
			red, green, blue, count = red+int(pixel.R), green+int(pixel.G), blue+int(pixel.B), count+1
		}
	}
	return color.RGBA{uint8(red / count), uint8(green / count), uint8(blue / count), 255}
}
