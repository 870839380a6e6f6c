package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	. "github.com/onsi/gomega"
)

// elfProgram returns the headers of an executable, followed by a text.
func elfProgram(t *testing.T, machine elf.Machine, part elf.ProgType, text string) string {
	t.Helper()
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	var file bytes.Buffer
	g := NewWithT(t)
	g.Expect(binary.Write(&file, binary.LittleEndian, header)).To(Succeed())
	g.Expect(binary.Write(&file, binary.LittleEndian, elf.Prog64{Type: uint32(part)})).To(Succeed())
	return file.String() + text
}

func TestCheckProgram(t *testing.T) {
	for name, c := range map[string]struct{ architecture, program, want string }{
		"static for amd64":        {"amd64", elfProgram(t, elf.EM_X86_64, elf.PT_LOAD, ""), ""},
		"static for arm64":        {"arm64", elfProgram(t, elf.EM_AARCH64, elf.PT_LOAD, ""), ""},
		"dynamic for amd64":       {"amd64", elfProgram(t, elf.EM_X86_64, elf.PT_INTERP, ""), "CGO_ENABLED=0"},
		"dynamic for arm64":       {"arm64", elfProgram(t, elf.EM_AARCH64, elf.PT_INTERP, ""), "CGO_ENABLED=0"},
		"of another architecture": {"arm64", elfProgram(t, elf.EM_X86_64, elf.PT_LOAD, ""), "built for EM_X86_64"},
		"a script":                {"amd64", "#!/bin/sh\n", "not an ELF program"},
		"unknown architecture":    {"riscv64", elfProgram(t, elf.EM_RISCV, elf.PT_LOAD, ""), "not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			err := checkProgram(c.architecture, []byte(c.program))
			if c.want == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
		})
	}
}
