package main

import (
	"fmt"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// openTerminal returns a terminal and the file that types and reads what the terminal shows.
func openTerminal(t *testing.T) (controller, terminal *os.File) {
	t.Helper()
	g := NewWithT(t)
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(controller.Close()).To(Succeed()) })
	g.Expect(unix.IoctlSetPointerInt(int(controller.Fd()), unix.TIOCSPTLCK, 0)).To(Succeed())
	number, err := unix.IoctlGetInt(int(controller.Fd()), unix.TIOCGPTN)
	g.Expect(err).NotTo(HaveOccurred())
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	g.Expect(err).NotTo(HaveOccurred())
	return controller, terminal
}

// isEchoing reports whether a terminal shows what the user types.
func isEchoing(controller *os.File) (bool, error) {
	state, err := unix.IoctlGetTermios(int(controller.Fd()), unix.TCGETS)
	if err != nil {
		return false, err
	}
	return state.Lflag&unix.ECHO != 0, nil
}
