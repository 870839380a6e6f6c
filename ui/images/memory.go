package images

import (
	"errors"
	"io"
	"runtime/metrics"
)

// maxAllocatedBytes is the memory that can be allocated while an image is decoded. A file of 150 KB can
// contain Huffman tables of 180 MiB, which its number of pixels does not show.
const maxAllocatedBytes = 128 << 20

var errTooMuchMemory = errors.New("the image needs too much memory")

// memoryReader is a reader that fails after the process has allocated too many bytes, so that a decoder
// stops that allocates memory for what it reads. Other requests count, too: at worst, an icon is fetched
// again later.
type memoryReader struct {
	io.Reader

	limit uint64
}

func newMemoryReader(source io.Reader) *memoryReader {
	return &memoryReader{source, allocatedBytes() + maxAllocatedBytes}
}

// Read reads bytes, or returns an error if too many bytes have been allocated.
func (r *memoryReader) Read(p []byte) (int, error) {
	if allocatedBytes() > r.limit {
		return 0, errTooMuchMemory
	}
	return r.Reader.Read(p)
}

// allocatedBytes returns the number of bytes that the process has allocated since its start.
func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
