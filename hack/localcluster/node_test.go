package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

func TestPauseImageNamesItsLayer(t *testing.T) {
	program, err := os.ReadFile(busybox)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("left out: %s does not exist; install busybox-static", busybox)
	}
	path := filepath.Join(t.TempDir(), "pause.tar")
	if err := writePauseImage(path); err != nil {
		t.Fatal(err)
	}
	files := untar(t, must(os.ReadFile(path)))
	var manifests []struct {
		Config           string
		RepoTags, Layers []string
	}
	var config struct {
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files["manifest.json"], &manifests); err != nil || len(manifests) != 1 {
		t.Fatalf("got %s, %v", files["manifest.json"], err)
	}
	if err := json.Unmarshal(files[manifests[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	layer := files[manifests[0].Layers[0]]
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(layer)); config.Rootfs.DiffIDs[0] != want {
		t.Errorf("the configuration names layer %s, want %s", config.Rootfs.DiffIDs[0], want)
	}
	if !bytes.Equal(untar(t, layer)["busybox"], program) {
		t.Error("the layer does not have the program")
	}
}

func untar(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = must(io.ReadAll(r))
	}
}

func TestNodeConfigurationIsReadWhateverTheFolder(t *testing.T) {
	l := layout{root: "/tmp/it's \"here\""}
	var kubelet kubeletv1beta1.KubeletConfiguration
	if err := yaml.UnmarshalStrict([]byte(l.kubeletConfig()), &kubelet); err != nil {
		t.Fatal(err)
	}
	if kubelet.PodLogsDir != l.node("pods") || kubelet.Authentication.X509.ClientCAFile != l.pki("ca.crt") {
		t.Errorf("got %+v", kubelet)
	}
	var network struct{ Plugins []struct{ Type string } }
	if err := json.Unmarshal([]byte(l.networkConfig()), &network); err != nil || len(network.Plugins) != 2 {
		t.Errorf("got %+v, %v", network, err)
	}
}

func TestForwardCopiesBothWaysUntilBothHaveEnded(t *testing.T) {
	server := must(net.Listen("tcp", net.JoinHostPort(loopback, "0")))
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { // It answers once the client has ended.
				defer c.Close()
				text, _ := io.ReadAll(c)
				_, _ = c.Write(bytes.ToUpper(text))
			}()
		}
	}()
	ports := must(freePorts(1))
	from := net.JoinHostPort(loopback, fmt.Sprint(ports[0]))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- forward(ctx, from, server.Addr().String()) }()
	var c net.Conn
	if err := poll(t.Context(), func() (bool, error) {
		var err error
		c, err = net.Dial("tcp", from)
		return err == nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("long ", 100000)
	go func() {
		_, _ = io.WriteString(c, text)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	if got := must(io.ReadAll(c)); string(got) != strings.ToUpper(text) {
		t.Errorf("got %d bytes, want %d", len(got), len(text))
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNodeNeedsACluster(t *testing.T) {
	dir := t.TempDir()
	if err := command(t.Context(), []string{"node", "up", "--dir", dir}, io.Discard); !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
	var out bytes.Buffer
	if err := command(t.Context(), []string{"node", "down", "--dir", dir}, &out); err != nil || !strings.Contains(out.String(), "no node") {
		t.Errorf("got %v, %s", err, &out)
	}
	if err := command(t.Context(), []string{"node", "init", "--dir", dir}, io.Discard); err == nil {
		t.Error("the first process of a node ran in the namespaces of the machine")
	}
}
