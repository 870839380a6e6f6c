package ui

import (
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
)

func TestTerminalsOfTheFlags(t *testing.T) {
	g := NewWithT(t)
	terminalsOf := func(flags ...string) (exists, recorded bool, err error) {
		o, err := parseFlags(flags)
		g.Expect(err).NotTo(HaveOccurred())
		terminals, err := o.newTerminals(logr.Discard())
		return terminals != nil, terminals != nil && terminals.IsRecording(), err
	}
	exists, _, err := terminalsOf()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(exists).To(BeFalse(), "terminals are off by default")
	exists, recorded, err := terminalsOf("--terminal")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(exists).To(BeTrue())
	g.Expect(recorded).To(BeFalse())
	_, recorded, err = terminalsOf("--terminal", "--record-terminal="+t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(recorded).To(BeTrue())
	_, _, err = terminalsOf("--terminal", "--record-terminal="+filepath.Join(t.TempDir(), "missing"))
	g.Expect(err).To(MatchError(ContainSubstring("--record-terminal")), "the server does not start if it cannot record")
}
