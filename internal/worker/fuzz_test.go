package worker

import (
	"bytes"
	"encoding/gob"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
)

// FuzzAnswer decodes any answer of a worker, which a chart may have taken over.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []answer{
		{Done: &done{Step: "Fetched", Files: 3}}, {Failure: "x", Reason: "InvalidChart", Failed: "Rendered"},
		{Query: &hydrate.LookupQuery{Kind: "Secret", Name: "a"}}, {Draft: &hydrate.Draft{}, Values: map[string]any{"a": []any{null(false), 1.5, "x"}}},
	} {
		var text bytes.Buffer
		if err := gob.NewEncoder(&text).Encode(seed); err != nil {
			f.Fatal(err)
		}
		f.Add(text.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got answer
		if gob.NewDecoder(&answerReader{from: bytes.NewReader(text), left: maxAnswerBytes}).Decode(&got) != nil {
			return
		}
		unpackValue(got.Values)
		if err := got.toError(); err != nil {
			NewWithT(t).Expect(err.Error()).NotTo(BeEmpty())
		}
	})
}
