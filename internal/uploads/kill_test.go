package uploads_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/uploads"
)

// writerFolder makes this test binary a process that uploads into the folder until it is killed.
const writerFolder = "UPLOADS_TEST_WRITER_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerFolder); dir != "" {
		if err := uploadForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// uploadForever uploads new versions, and replaces an earlier one each time.
func uploadForever(dir string) error {
	store, err := uploads.Open(dir, uploads.Options{Reader: reader{}})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		for _, version := range []string{fmt.Sprintf("1.0.%d", i), "2.0.0"} {
			accepted, _, err := upload(store, team, uploads.Limits{AllowOverwrite: true}, newArchive(&testing.T{}, "web", version, fmt.Sprint(i)))
			if err != nil {
				return err
			}
			fmt.Println(accepted.FileName())
		}
	}
}

// TestKilledWriter kills an uploading process several times in the same folder: every upload that was
// acknowledged exists, and the folder can still be used.
func TestKilledWriter(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	for _, lines := range []int{1, 8, 31} {
		acknowledged := killAfter(t, dir, lines)
		store := openStore(t, dir, uploads.Options{})
		g.Expect(names(t, store, team)).To(ContainElements(acknowledged))
		for name := range readFiles(t, filepath.Join(dir, "charts")) {
			g.Expect(filepath.Base(name)).NotTo(HavePrefix("."))
		}
		g.Expect(store.Sweep(context.Background(), stateFunc(new(uploads.SourceState)))).To(Succeed())
		g.Expect(names(t, store, team)).To(ContainElements(acknowledged))
	}
}

// killAfter runs the writer, kills it after the given number of lines, and returns the files that it
// reported.
func killAfter(t *testing.T, dir string, lines int) []string {
	t.Helper()
	g := NewWithT(t)
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writerFolder+"="+dir)
	output, err := writer.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(writer.Start()).To(Succeed())
	var acknowledged []string
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		acknowledged = append(acknowledged, scanner.Text())
		if len(acknowledged) == lines {
			g.Expect(writer.Process.Kill()).To(Succeed())
		}
	}
	g.Expect(writer.Wait()).To(HaveOccurred(), "killed")
	g.Expect(len(acknowledged)).To(BeNumerically(">=", lines))
	slices.Sort(acknowledged)
	return slices.Compact(acknowledged)
}

// stateFunc returns a function that returns a state for every source.
func stateFunc(state *uploads.SourceState) func(context.Context, hydrate.Owner) (uploads.SourceState, error) {
	return func(context.Context, hydrate.Owner) (uploads.SourceState, error) { return *state, nil }
}

func writeFile(name, content string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(content), 0o600)
}
