package comparison

import (
	"context"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"

	"github.com/appmarket/operator/internal/text"
)

const (
	// maxComparedLines is the maximum number of lines of a text between the first and the last line that
	// differ. The time of a comparison grows with its square.
	maxComparedLines = 1000
	// maxShownLines is the maximum number of lines of a comparison, and maxTextLines of one text.
	maxShownLines, maxTextLines = 4000, 200
	// contextLines is the number of unchanged lines before and after changed lines.
	contextLines = 3
)

// Lines are the lines in which two texts differ.
type Lines struct {
	Lines []Line
	// Total is the number of lines, of which the first are listed.
	Total int
	// Problem is the reason why the lines are not listed, empty if they are.
	Problem string
}

// Line is a line of a difference.
type Line struct {
	// Change is empty for a line that both texts have.
	Change Change
	Text   string
	// Gap reports that lines before the line are left out because both texts have them.
	Gap bool
}

// lineDiffer compares texts until its context ends, and limits the time and the lines of all comparisons.
type lineDiffer struct {
	ctx       context.Context
	linesLeft int
	timeLeft  time.Duration
}

// compareLines returns the lines in which two texts differ.
func (d *lineDiffer) compareLines(from, to string) Lines {
	begin := time.Now()
	defer func() { d.timeLeft -= time.Since(begin) }()
	if d.ctx.Err() != nil || d.timeLeft <= 0 {
		return Lines{Problem: "The lines are not compared: the comparison takes too long."}
	}
	a, b := withoutCommonLines(strings.Split(from, "\n"), strings.Split(to, "\n"))
	if len(a) > maxComparedLines || len(b) > maxComparedLines {
		return Lines{Problem: "The lines are not compared: the texts are too long."}
	}
	var found Lines
	for i, group := range difflib.NewMatcher(a, b).GetGroupedOpCodes(contextLines) {
		hasGap := i > 0
		add := func(change Change, lines []string) {
			for _, line := range lines {
				found.Total++
				if len(found.Lines) < maxTextLines && d.linesLeft > 0 {
					found.Lines = append(found.Lines, Line{Change: change, Text: text.Truncate(line, maxValueBytes), Gap: hasGap})
					d.linesLeft--
				}
				hasGap = false
			}
		}
		for _, code := range group {
			if code.Tag == 'e' {
				add("", a[code.I1:code.I2])
				continue
			}
			add(Removed, a[code.I1:code.I2])
			add(Added, b[code.J1:code.J2])
		}
	}
	return found
}

// withoutCommonLines removes the lines with which both texts begin and end, except for those that are
// shown before and after a changed line.
func withoutCommonLines(a, b []string) (fromLines, toLines []string) {
	first := 0
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	last := 0
	for last < min(len(a), len(b))-first && a[len(a)-1-last] == b[len(b)-1-last] {
		last++
	}
	first, last = max(first-contextLines, 0), max(last-contextLines, 0)
	return a[first : len(a)-last], b[first : len(b)-last]
}
