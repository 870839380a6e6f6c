package comparison

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxSchemaBytes is the maximum size of a schema.
const maxSchemaBytes = 1 << 20

// SchemaChange is the difference between two schemas.
type SchemaChange struct {
	// Change is empty if the schemas are equal.
	Change Change
	// Lines are the lines in which the schemas differ, if both versions have one.
	Lines Lines
	// Problem is the reason why the schemas were not compared, empty if they were.
	Problem string
}

// compareSchemas compares schemas line by line, with sorted keys.
func compareSchemas(differ *lineDiffer, from, to []byte) (change SchemaChange) {
	if len(from) == 0 && len(to) == 0 {
		return change
	}
	before, err := sortedSchema(from)
	if err != nil {
		return SchemaChange{Problem: problemOf(err)}
	}
	after, err := sortedSchema(to)
	if err != nil {
		return SchemaChange{Problem: problemOf(err)}
	}
	switch {
	case len(from) == 0:
		change.Change = Added
	case len(to) == 0:
		change.Change = Removed
	case before != after:
		change.Change, change.Lines = Changed, differ.compareLines(before, after)
	}
	return change
}

// sortedSchema returns a schema with one key per line, in order.
func sortedSchema(report []byte) (string, error) {
	if len(report) == 0 {
		return "", nil
	}
	if len(report) > maxSchemaBytes {
		return "", fmt.Errorf("values.schema.json has %d bytes, at most %d are compared", len(report), maxSchemaBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(report))
	decoder.UseNumber()
	var schema any
	if err := decoder.Decode(&schema); err != nil {
		return "", fmt.Errorf("values.schema.json: %w", err)
	}
	if depthOf(schema, 0) > maxValueDepth {
		return "", fmt.Errorf("values.schema.json is nested more than %d deep", maxValueDepth)
	}
	sorted, err := json.MarshalIndent(schema, "", "  ")
	return string(sorted), err
}

// depthOf returns the nesting of a value, at least one more than maxValueDepth if it is nested more.
func depthOf(value any, depth int) int {
	if depth > maxValueDepth {
		return depth
	}
	deepest := depth
	switch value := value.(type) {
	case map[string]any:
		for _, item := range value {
			deepest = max(deepest, depthOf(item, depth+1))
		}
	case []any:
		for _, item := range value {
			deepest = max(deepest, depthOf(item, depth+1))
		}
	}
	return deepest
}
