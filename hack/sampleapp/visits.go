package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// volumes are the mount paths of the volumes of sample charts. The visits are counted in them, to
// show whether data survives an operation.
var volumes = []string{"/data", "/pages", "/rooms"}

// countVisits counts a visit in each folder that exists, and returns a sentence about each.
func countVisits(folders []string) []string {
	var all []string
	for _, folder := range folders {
		if _, err := os.Stat(folder); isMissing(err) {
			continue
		}
		count, err := countVisit(filepath.Join(folder, "visits"))
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		all = append(all, fmt.Sprintf("visit %d, counted in %s", count, folder))
	}
	return all
}

// countVisit appends a byte to a file for each visit and returns their number.
func countVisit(path string) (count int64, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.WriteString("."); err != nil {
		return 0, err
	}
	return file.Seek(0, io.SeekEnd)
}
