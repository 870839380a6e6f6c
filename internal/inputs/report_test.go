package inputs_test

import (
	"encoding/json"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/inputs"
)

func TestReportOfInputs(t *testing.T) {
	g := NewWithT(t)
	least, most := 1.0, 9.0
	all := []inputs.Input{
		{Name: "web.port", Title: "Port", Description: "of the server", Type: "int", Required: true, Editable: true, Default: "8", Value: "9",
			From: "PORT", Pattern: "^[0-9]+$", Options: []inputs.Option{{Title: "Eight", Value: "8"}}, Path: "web.port", Preset: true, Number: true,
			Range: &inputs.Bounds{Min: &least, Max: &most}, Length: &inputs.Bounds{Max: &most}, ShowIf: "a=b", Group: "Network", Multiline: true},
	}
	text, err := json.Marshal(inputs.ToReport(all))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(text).To(MatchJSON(`[{"name": "web.port", "title": "Port", "description": "of the server", "type": "int", "required": true, "editable": true,
		"default": "8", "value": "9", "from": "PORT", "pattern": "^[0-9]+$", "options": [{"title": "Eight", "value": "8"}], "path": "web.port", "preset": true,
		"number": true, "range": {"min": 1, "max": 9}, "length": {"max": 9}, "showIf": "a=b", "group": "Network", "multiline": true}]`))
	var read []inputs.ReportedInput
	g.Expect(json.Unmarshal(text, &read)).To(Succeed())
	g.Expect(inputs.FromReport(read)).To(Equal(all), "nothing is lost")
}

func TestReportOfPasswords(t *testing.T) {
	report := inputs.ToReport([]inputs.Input{{Name: "secret", Type: "password", Default: "hunter2", Value: "hunter3"}})
	NewWithT(t).Expect(report).To(Equal([]inputs.ReportedInput{{Name: "secret", Type: "password"}}))
}
