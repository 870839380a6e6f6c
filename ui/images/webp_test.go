package images_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/png"
	"net/http/httptest"
	"runtime"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
)

// bitWriter writes the bits of a lossless WebP image, which begin at the lowest bit of a byte.
type bitWriter struct {
	bytes []byte
	count int
}

func (w *bitWriter) write(value, bits int) {
	for i := range bits {
		if w.count%8 == 0 {
			w.bytes = append(w.bytes, 0)
		}
		w.bytes[w.count/8] |= byte(value>>i&1) << (w.count % 8)
		w.count++
	}
}

// writeCode writes the code of a symbol in a tree whose codes all have the same number of bits.
func (w *bitWriter) writeCode(symbol, bits int) {
	for i := bits - 1; i >= 0; i-- {
		w.write(symbol>>i&1, 1)
	}
}

// writeSimpleTree writes a tree of one or two symbols.
func (w *bitWriter) writeSimpleTree(symbols ...int) {
	w.write(1, 1)
	w.write(len(symbols)-1, 1)
	w.write(1, 1)
	for _, symbol := range symbols {
		w.write(symbol, 8)
	}
}

// writeFullTree writes a tree of 1<<bits symbols with codes of as many bits.
func (w *bitWriter) writeFullTree(bits int) {
	w.write(0, 1)
	order := []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	w.write(len(order)-4, 4)
	for _, length := range order { // The only length of a code, which therefore needs no bits.
		w.write(map[bool]int{true: 1}[length == bits], 3)
	}
	w.write(1, 1)
	w.write(7, 3)
	w.write(1<<bits-2, 16)
}

// newLossless returns the header of a lossless image.
func newLossless(width, height int) *bitWriter {
	w := &bitWriter{}
	w.write(0x2f, 8)
	w.write(width-1, 14)
	w.write(height-1, 14)
	w.write(1, 1)
	w.write(0, 3)
	return w
}

// losslessImage returns the bits of newImage.
func losslessImage(width, height int) []byte {
	w := newLossless(width, height)
	w.write(0, 3) // No transforms, no color cache, one group of trees.
	w.writeSimpleTree(0)
	w.writeSimpleTree(0, 200)
	w.writeSimpleTree(0)
	w.writeSimpleTree(0, 255)
	w.writeSimpleTree(0)
	for range height {
		for x := range width {
			w.write(map[bool]int{true: 3}[x < width/2], 2)
		}
	}
	return w.bytes
}

// manyTrees returns an image with as many and as large trees as a decoder accepts, without pixels.
func manyTrees() []byte {
	const side, groups = 400, 2600
	w := newLossless(side, side)
	w.write(0, 1)  // No transforms.
	w.write(1, 1)  // A color cache,
	w.write(11, 4) // of the largest size.
	w.write(1, 1)  // Several groups,
	w.write(0, 3)  // for parts of 4 x 4 pixels.
	w.write(0, 1)  // The image of the groups has no color cache.
	w.writeFullTree(8)
	w.writeFullTree(8)
	w.writeSimpleTree(0)
	w.writeSimpleTree(0)
	w.writeSimpleTree(0)
	for i := range side / 4 * side / 4 {
		group := min(i, groups-1)
		w.writeCode(group&0xff, 8)
		w.writeCode(group>>8, 8)
	}
	for range groups {
		for _, bits := range []int{11, 8, 8, 8, 5} {
			w.writeFullTree(bits)
		}
	}
	return w.bytes
}

// webP returns a file with chunks, each given by its name and its content.
func webP(chunks ...any) []byte {
	body := []byte("WEBP")
	for i := 0; i < len(chunks); i += 2 {
		content := chunks[i+1].([]byte)
		body = binary.LittleEndian.AppendUint32(append(body, chunks[i].(string)...), uint32(len(content)))
		body = append(body, content...)
		if len(content)%2 == 1 {
			body = append(body, 0)
		}
	}
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// extended returns the content of the chunk VP8X.
func extended(flags byte, width, height uint32) []byte {
	w, h := binary.LittleEndian.AppendUint32(nil, width-1), binary.LittleEndian.AppendUint32(nil, height-1)
	return append(append([]byte{flags, 0, 0, 0}, w[:3]...), h[:3]...)
}

const hasAlpha, isAnimated = 1 << 4, 1 << 1

// lossy, alpha and lossyOfAlpha are images of 32 x 16 pixels like newImage, as Chromium writes them: one with a
// white right half, and one with the transparency in a chunk of its own.
const (
	lossy        = "8AEAnQEqIAAQAAFAJiWgAqSKAfgABCrQAP73fi//ILSuW8Af/4kL8SF+JC/8SF/82skZAAAA"
	alpha        = "AQ8w/xERQiCQ5C89wAIR/Y/iBQ=="
	lossyOfAlpha = "8AEAnQEqIAAQAAFAJiWgAqSKAfgABBbAAP73fi//ILSuW8Af/4kL8SF+JC/8SF/0Aj4gAA=="
)

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	content, err := base64.StdEncoding.DecodeString(text)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return content
}

// iconOf returns the icon that the pages show for a file.
func iconOf(t *testing.T, file []byte) []byte {
	t.Helper()
	server := httptest.NewServer(content(file))
	t.Cleanup(server.Close)
	icon, err := images.New(netguard.Policy{Loopback: true}, "test").Icon(t.Context(), server.URL)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return icon
}

func TestWebPIcons(t *testing.T) {
	for name, file := range map[string][]byte{
		"lossless":                      webP("VP8L", losslessImage(400, 200)),
		"lossless, extended":            webP("VP8X", extended(hasAlpha, 400, 200), "VP8L", losslessImage(400, 200)),
		"lossless, large":               webP("VP8L", losslessImage(2048, 1024)),
		"lossless, wide":                webP("VP8L", losslessImage(4096, 900)),
		"lossy":                         webP("VP8 ", decoded(t, lossy)),
		"lossy, extended":               webP("VP8X", extended(0, 32, 16), "VP8 ", decoded(t, lossy)),
		"lossy with transparent pixels": webP("VP8X", extended(hasAlpha, 32, 16), "ALPH", decoded(t, alpha), "VP8 ", decoded(t, lossyOfAlpha)),
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			icon := iconOf(t, file)
			shown, err := png.Decode(bytes.NewReader(icon))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(shown.Bounds()).To(Equal(image.Rect(0, 0, 96, 96)))
			red, green, _, _ := shown.At(20, 48).RGBA()
			g.Expect([]bool{red > 0xb000, green < 0x3000}).To(Equal([]bool{true, true}), "the left half keeps its color")
			_, green, _, _ = shown.At(76, 48).RGBA() // The decoder leaves white as 235 of 255 in lossy images.
			g.Expect(green).To(BeNumerically(">", 0xe000), "the right half is white")
		})
	}
}

// TestHostileWebP decodes images whose headers, chunks and tables contradict each other or are too large.
func TestHostileWebP(t *testing.T) {
	small := losslessImage(16, 16)
	for name, file := range map[string][]byte{
		"a huge lossless image":              webP("VP8L", newLossless(16384, 16384).bytes),
		"too many pixels":                    webP("VP8L", newLossless(4096, 4096).bytes),
		"a huge image behind a small header": webP("VP8X", extended(0, 16, 16), "VP8L", newLossless(16384, 16384).bytes),
		"a small image behind a huge header": webP("VP8X", extended(0, 1<<24, 16), "VP8L", small),
		"another size of a lossy image":      webP("VP8X", extended(0, 16, 16), "VP8 ", decoded(t, lossy)),
		"two headers":                        webP("VP8X", extended(0, 16, 16), "VP8X", extended(0, 4000, 1000), "VP8L", newLossless(4000, 1000).bytes),
		"huge transparency":                  webP("VP8X", extended(hasAlpha, 4096, 4096), "ALPH", []byte{0}),
		"short transparency":                 webP("VP8X", extended(hasAlpha, 32, 16), "ALPH", []byte{0, 1, 2}, "VP8 ", decoded(t, lossyOfAlpha)),
		"unknown transparency":               webP("VP8X", extended(hasAlpha, 32, 16), "ALPH", []byte{3, 1, 2}, "VP8 ", decoded(t, lossyOfAlpha)),
		"no image":                           webP("VP8X", extended(hasAlpha, 32, 16)),
		"an animation":                       webP("VP8X", extended(isAnimated, 16, 16), "ANIM", make([]byte, 6), "ANMF", make([]byte, 24)),
		"cut pixels":                         webP("VP8L", small[:len(small)-20]),
		"a cut chunk":                        webP("VP8L", small)[:40],
		"another format in the file":         webP("AVI ", small),
		"no chunks":                          webP(),
		"an invalid tree":                    webP("VP8L", append(newLossless(16, 16).bytes, bytes.Repeat([]byte{0xff}, 1000)...)),
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			before := allocatedBytes()
			g.Expect(iconOf(t, file)).To(BeNil())
			g.Expect(allocatedBytes()-before).To(BeNumerically("<", 8<<20), "the size is checked before memory is allocated")
		})
	}
}

// TestTreesOfWebPAreBounded decodes the file that needs the most memory for its size: without a limit, 183 MiB.
func TestTreesOfWebPAreBounded(t *testing.T) {
	g := NewWithT(t)
	file := webP("VP8L", manyTrees())
	g.Expect(len(file)).To(BeNumerically("<", 1<<20), "the file is small enough to be fetched")
	before := allocatedBytes()
	g.Expect(iconOf(t, file)).To(BeNil(), "there are no pixels")
	allocated := allocatedBytes() - before
	t.Logf("%d bytes in the file, %d MiB allocated", len(file), allocated>>20)
	g.Expect(allocated).To(And(BeNumerically(">", 100<<20), BeNumerically("<", 150<<20)))
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	g.Expect(after.HeapAlloc).To(BeNumerically("<", 64<<20), "the memory is free before another image is decoded")
}

// allocatedBytes returns the number of bytes that were allocated since the start.
func allocatedBytes() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
