package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

const (
	// pauseImage is the image whose container holds the namespaces of a pod.
	pauseImage = "localcluster/pause:1"
	// busybox is a static program of Debian that can wait.
	busybox = "/bin/busybox"
)

// writePauseImage writes an image that sleeps as an archive of the kind that `docker save` writes.
func writePauseImage(path string) error {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return fmt.Errorf("make pause image: %w", err)
	}
	layer, err := archive(archived{"busybox", 0o755, program})
	if err != nil {
		return err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/busybox", "sleep", "2147483647"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return fmt.Errorf("make pause image: %w", err)
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "config.json", "RepoTags": []string{pauseImage}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return fmt.Errorf("make pause image: %w", err)
	}
	image, err := archive(
		archived{"manifest.json", 0o644, manifest}, archived{"config.json", 0o644, config}, archived{"layer.tar", 0o644, layer})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, image, 0o600); err != nil {
		return fmt.Errorf("write pause image: %w", err)
	}
	return nil
}

type archived struct {
	name string
	mode int64
	data []byte
}

func archive(files ...archived) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, fmt.Errorf("archive %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return out.Bytes(), nil
}
