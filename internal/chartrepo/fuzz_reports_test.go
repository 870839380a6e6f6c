package chartrepo

import (
	"bytes"
	"testing"
)

// FuzzReports reads a report from any content of a bucket. A report is a part of the content, as the server sends it.
func FuzzReports(f *testing.F) {
	packed, err := packReports(map[string][]byte{"README.md": []byte("# Web\n"), "values.yaml": []byte("a: 1\n"), "images.json": nil})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed, "README.md")
	f.Add(packed, "images.json")
	f.Add(packed[:len(packed)-4], "values.yaml")
	f.Add(bytes.Replace(packed, []byte("README.md"), []byte("../README"), 2), "../README")
	f.Add(append([]byte("in front of it"), packed...), "README.md")
	f.Add([]byte("PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00"), "README.md")
	f.Fuzz(func(t *testing.T, content []byte, name string) {
		found, err := findReport(bytes.NewReader(content), int64(len(content)), name)
		if err != nil {
			return
		}
		if found.Name != name {
			t.Fatalf("%q is found instead of %q", found.Name, name)
		}
		data, err := readReport(found)
		if err != nil {
			return
		}
		if uint64(len(data)) != found.UncompressedSize64 || !bytes.Contains(content, data) {
			t.Fatalf("%d bytes are read, %d are expected", len(data), found.UncompressedSize64)
		}
		// Large reports are sent as a section of the file.
		offset, err := found.DataOffset()
		if err != nil || offset < 0 || uint64(offset)+found.UncompressedSize64 > uint64(len(content)) || !bytes.HasPrefix(content[offset:], data) {
			t.Fatalf("the report at %d is not a part of the file: %v", offset, err)
		}
	})
}
