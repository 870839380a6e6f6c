// Package comparison compares two versions of an app by the reports that the repository publishes
// with them: the default values, the schema of the values, the images and the rendered objects.
//
// Charts are written by others. Each report is limited in size before it is parsed, and the result
// is limited in its number of entries and lines; it contains the numbers that are left out. A
// comparison of texts ends when its context does. The contents of Secrets are masked.
//
// The package fetches nothing and knows no cluster.
package comparison

import (
	"context"
	"errors"
	"time"

	"github.com/appmarket/operator/internal/text"
)

const (
	// MaxListed is the maximum number of entries of a section.
	MaxListed = 200
	// maxTime limits the time of a comparison, and maxLineTime the time in which lines are compared. What is
	// not compared by then is listed without its lines.
	maxTime, maxLineTime = 10 * time.Second, 3 * time.Second
	// maxValueBytes is the maximum length of a value or of a line, and maxNameBytes of a name.
	maxValueBytes, maxNameBytes = 400, 300
)

// Change is the kind of a difference.
type Change string

// The kinds of differences.
const (
	Added   Change = "Added"
	Removed Change = "Removed"
	Changed Change = "Changed"
)

// Reports are the reports of a version. A report is nil if the version does not have it.
type Reports struct {
	Values, Schema, Images, Objects []byte
}

// Section lists the differences of one kind of report.
type Section[T any] struct {
	// Listed are the first differences, and Total is the number of all.
	Listed []T
	Total  int
	// Problem is the reason why the reports were not compared, empty if they were.
	Problem string
}

// add adds a difference. It is only counted if the section is full.
func (s *Section[T]) add(difference T) {
	if s.Total++; len(s.Listed) < MaxListed {
		s.Listed = append(s.Listed, difference)
	}
}

// IsCut reports whether not all differences are listed.
func (s Section[T]) IsCut() bool { return s.Total > len(s.Listed) }

// Comparison contains the differences between two versions.
type Comparison struct {
	Values  Section[ValueChange]
	Schema  SchemaChange
	Images  Section[ImageChange]
	Objects Section[ObjectChange]
}

// Compare returns the differences between the reports of two versions.
func Compare(ctx context.Context, from, to Reports) *Comparison {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	differ := &lineDiffer{ctx: ctx, linesLeft: maxShownLines, timeLeft: maxLineTime}
	return &Comparison{
		Values: compareValues(from.Values, to.Values), Schema: compareSchemas(differ, from.Schema, to.Schema),
		Images: compareImages(from.Images, to.Images), Objects: compareObjects(differ, from.Objects, to.Objects),
	}
}

// errTooMany is the problem of a report with too many entries.
var errTooMany = errors.New("a version has too many entries to be compared")

// problemOf returns an error as the problem of a section.
func problemOf(err error) string { return text.OneLine(err.Error(), maxValueBytes) }
