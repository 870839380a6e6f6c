package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
)

// machines maps the architectures of platforms to the machine in an ELF header.
var machines = map[string]elf.Machine{
	"amd64": elf.EM_X86_64,
	"arm64": elf.EM_AARCH64,
}

// readProgram reads a program and checks that it runs in an image without libraries.
func readProgram(p platformFile) ([]byte, error) {
	text, err := os.ReadFile(p.file)
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	if err := checkProgram(p.platform.Architecture, text); err != nil {
		return nil, fmt.Errorf("program %s for %s: %w", p.file, p.platform, err)
	}
	return text, nil
}

func checkProgram(architecture string, text []byte) error {
	program, err := elf.NewFile(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("not an ELF program: %w", err)
	}
	want, ok := machines[architecture]
	if !ok {
		return fmt.Errorf("architecture %q is not supported", architecture)
	}
	if program.Machine != want {
		return fmt.Errorf("the program is built for %s", program.Machine)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return errors.New("the program is linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}
