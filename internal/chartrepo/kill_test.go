package chartrepo_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
	"github.com/appmarket/operator/test/testbucket"
)

// writerFolder makes this test binary a process that publishes into the folder until it is
// killed.
const (
	writerFolder = "CHARTREPO_TEST_WRITER_FOLDER"
	// writerBucket is the URL of a service with the objects of that folder, empty for a volume.
	writerBucket = "CHARTREPO_TEST_WRITER_BUCKET"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerFolder); dir != "" {
		if err := publishForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func publishForever(dir string) error {
	store, err := openWriter(dir, os.Getenv(writerBucket))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		p := newPublication(&testing.T{}, main, "app", fmt.Sprintf("1.%d.%d", i/20, i%20))
		published, err := store.Publish(context.Background(), p)
		if err != nil {
			return err
		}
		fmt.Println(p.Version, published.Digest)
	}
}

func openWriter(dir, service string) (*chartrepo.Store, error) {
	if service == "" {
		return chartrepo.Open(dir, chartrepo.Options{})
	}
	files, err := bucket.New(bucket.Config{Name: testbucket.Name, Endpoint: service})
	if err != nil {
		return nil, err
	}
	return chartrepo.OpenStorage(files, chartrepo.Options{})
}

// TestKilledWriter kills a publishing process several times in the same folder: the versions
// that it reported as published exist, and the folder can still be used.
func TestKilledWriter(t *testing.T) {
	onEachStorage(t, func(t *testing.T, in storageKind) {
		g := gomega.NewWithT(t)
		dir := t.TempDir()
		service := ""
		if in.name == bucketKind.name {
			service = serviceOf(t, dir).URL
		}
		for _, lines := range []int{1, 7, 23, 40} {
			said := killAfter(t, dir, service, lines)
			recorder := &damageRecorder{}
			store := in.openStore(t, dir, recorder)
			g.Expect(recorder.damagedApps()).To(gomega.BeEmpty(), "no version is published partially")
			for version, digest := range said {
				g.Expect(store.Has(main, "app", version, digest)).To(gomega.BeTrue(), version)
			}
			g.Expect(len(store.Entries())).To(gomega.BeNumerically(">=", len(said)))
			for name := range readFiles(t, dir) {
				g.Expect(filepath.Base(name)).NotTo(gomega.HavePrefix("."))
			}
			found, err := store.Scrub(context.Background())
			g.Expect(err).NotTo(gomega.HaveOccurred())
			g.Expect(found).To(gomega.BeEmpty())
		}
	})
}

// killAfter runs the writer, kills it after the given number of lines, and returns the
// versions that it reported.
func killAfter(t *testing.T, dir, service string, lines int) map[string]string {
	t.Helper()
	g := gomega.NewWithT(t)
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writerFolder+"="+dir, writerBucket+"="+service,
		"AWS_ACCESS_KEY_ID="+testbucket.AccessKey, "AWS_SECRET_ACCESS_KEY="+testbucket.SecretKey)
	output, err := writer.StdoutPipe()
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(writer.Start()).To(gomega.Succeed())
	said := map[string]string{}
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		if version, digest, ok := strings.Cut(scanner.Text(), " "); ok && len(digest) == 71 {
			said[version] = digest
		}
		if len(said) == lines {
			g.Expect(writer.Process.Kill()).To(gomega.Succeed())
		}
	}
	g.Expect(writer.Wait()).To(gomega.HaveOccurred(), "killed")
	g.Expect(len(said)).To(gomega.BeNumerically(">=", lines))
	return said
}

// TestLeftovers creates the files that a killed writer can leave.
func TestLeftovers(t *testing.T) {
	g := gomega.NewWithT(t)
	dir, recorder := t.TempDir(), &damageRecorder{}
	p := newPublication(t, main, "web", "1.0.0")
	publishAll(t, openStore(t, dir, nil), p)
	before := readFiles(t, dir)
	orphan := newPublication(t, main, "web", "2.0.0")
	writeFile(t, filepath.Join(filepath.Dir(blobFile(dir, p.Digest)), ".half123"), "half a blob")
	writeFile(t, filepath.Join(filepath.Dir(recordFile(dir, p)), ".2.0.0.json456"), "half a record")
	g.Expect(os.MkdirAll(filepath.Dir(blobFile(dir, orphan.Digest)), 0o755)).To(gomega.Succeed())
	writeFile(t, blobFile(dir, orphan.Digest), string(orphan.Archive))

	store := openStore(t, dir, recorder)
	g.Expect(recorder.damagedApps()).To(gomega.BeEmpty())
	g.Expect(publishedNames(store)).To(gomega.Equal([]string{"main/web 1.0.0"}))
	swept, err := store.Sweep(context.Background(), nil, 0)
	g.Expect(err).NotTo(gomega.HaveOccurred())
	g.Expect(swept.Files).To(gomega.Equal(1), "the blob without a record")
	g.Expect(readFiles(t, dir)).To(gomega.Equal(before))
}
