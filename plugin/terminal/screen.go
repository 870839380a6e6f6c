package terminal

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// Control sequences of terminals.
const (
	clearToEnd = "\x1b[J"
	cursorUp   = "\x1b[%dA"
)

// The size of a terminal that does not report it.
const defaultWidth, defaultHeight = 80, 24

// Screen shows lines on a terminal, which replace the lines that it showed before.
type Screen struct {
	out   *os.File
	shown int
}

// NewScreen returns a Screen for a file, nil if the file is not a terminal that can move its cursor.
func NewScreen(out *os.File) *Screen {
	if runtime.GOOS == "windows" || os.Getenv("TERM") == "dumb" || !IsTerminal(out) {
		return nil
	}
	return &Screen{out: out}
}

// Show replaces the lines on the terminal. Lines that are too long are cut, and lines that do not fit
// are counted in the last line.
func (s *Screen) Show(lines []string) error {
	columns, rows, err := term.GetSize(int(s.out.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		columns, rows = defaultWidth, defaultHeight
	}
	lines = fitLines(lines, columns, rows)
	var text strings.Builder
	if s.shown > 0 {
		fmt.Fprintf(&text, cursorUp, s.shown)
	}
	text.WriteString("\r" + clearToEnd)
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	s.shown = len(lines)
	_, err = s.out.WriteString(text.String())
	return err
}

// fitLines returns the lines that fit into a terminal. One row is left for the cursor.
func fitLines(lines []string, columns, rows int) []string {
	most := max(rows-1, 1)
	if omitted := len(lines) - most; omitted > 0 {
		lines = append(lines[:most-1:most-1], fmt.Sprintf("… %d more lines", omitted+1))
	}
	fitted := make([]string, len(lines))
	for i, line := range lines {
		fitted[i] = cutToWidth(line, columns)
	}
	return fitted
}

// cutToWidth cuts a line to a number of columns. A line of all columns would make some terminals add a
// row.
func cutToWidth(line string, columns int) string {
	used := 0
	for i, char := range line {
		if used += columnsOf(char); used >= columns {
			return line[:i]
		}
	}
	return line
}

// columnsOf returns the number of columns that a character needs.
func columnsOf(char rune) int {
	switch {
	case unicode.In(char, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case width.LookupRune(char).Kind() == width.EastAsianWide, width.LookupRune(char).Kind() == width.EastAsianFullwidth:
		return 2
	}
	return 1
}
