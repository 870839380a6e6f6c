package chart

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// Digest is "sha256:<hex>" of the data, the form in which every digest of ours
// is written.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TreeDigest is "sha256:<hex>" of a set of files, whatever their order: of each
// file by name the length of the name as eight bytes, big-endian, the name, the
// length of the data likewise and the data. The lengths keep two different trees
// from being the same bytes.
func TreeDigest(files []File) string {
	sorted := slices.Clone(files)
	slices.SortFunc(sorted, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	sum := sha256.New()
	var length [8]byte
	for _, file := range sorted {
		binary.BigEndian.PutUint64(length[:], uint64(len(file.Name)))
		sum.Write(length[:])
		sum.Write([]byte(file.Name))
		binary.BigEndian.PutUint64(length[:], uint64(len(file.Data)))
		sum.Write(length[:])
		sum.Write(file.Data)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
