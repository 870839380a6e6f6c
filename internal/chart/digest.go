package chart

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// Digest returns the SHA-256 digest of the data as "sha256:<hex>".
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TreeDigest returns the digest of a set of files as "sha256:<hex>". It does not depend on
// the order of the files. The hash covers, for each file in order of name, the length of
// the name as 8 bytes big-endian, the name, the length of the data in the same encoding,
// and the data. Because of the lengths, different trees never produce the same input to the
// hash.
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
