package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzRecord measures any release record of a tenant. The measure must be found without unpacking more than the
// bounds allow.
func FuzzRecord(f *testing.F) {
	var zipped bytes.Buffer
	out := gzip.NewWriter(&zipped)
	if _, err := out.Write([]byte(`{"name":"web","manifest":"a: \"{\"","chart":{"files":[{},[]]}}`)); err != nil {
		f.Fatal(err)
	}
	if err := out.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(zipped.Bytes())
	f.Add([]byte(`{"name":"web","config":{"a":[null,"\\"]}}`))
	f.Add([]byte(gzipMagic))
	f.Fuzz(func(t *testing.T, record []byte) {
		for _, text := range [][]byte{record, []byte(base64.StdEncoding.EncodeToString(record))} {
			found := measureDecoded(text)
			NewWithT(t).Expect(found.bytes).To(BeNumerically("<=", maxInflatedBytes+1))
			NewWithT(t).Expect(found.tokens).To(BeNumerically("<=", found.bytes))
		}
	})
}
