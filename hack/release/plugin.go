package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// pluginProgram is the name of the kubectl plugin, and the begin of the names of its programs and
// archives.
const pluginProgram = "kubectl-market"

// krewName is the name of the plugin in an index of Krew. It is not market, because Krew does not
// accept general words.
const krewName = "appmarket"

// krewPlugin is the manifest of a plugin, as Krew reads it.
type krewPlugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec krewSpec `json:"spec"`
}

type krewSpec struct {
	Version          string         `json:"version"`
	Homepage         string         `json:"homepage"`
	ShortDescription string         `json:"shortDescription"`
	Description      string         `json:"description"`
	Caveats          string         `json:"caveats"`
	Platforms        []krewPlatform `json:"platforms"`
}

// krewPlatform is the archive for an operating system and an architecture.
type krewPlatform struct {
	Selector metav1.LabelSelector `json:"selector"`
	URI      string               `json:"uri"`
	SHA256   string               `json:"sha256"`
	Bin      string               `json:"bin"`
}

// plugin packs the programs of the kubectl plugin and writes its manifest for Krew. The programs are
// named kubectl-market-OS-ARCHITECTURE.
func plugin(args []string, out io.Writer) error {
	f := flag.NewFlagSet("release plugin", flag.ContinueOnError)
	root := f.String("root", ".", "Directory of the Git repository.")
	folder := f.String("output", "dist", "Directory with the programs, and for the files.")
	version := f.String("version", "", "Version of the plugin, without v.")
	url := f.String("url", "https://github.com/appmarket/operator/releases/download", "URL below which the files of a version are published.")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *version == "" {
		return errors.New("--version is required")
	}
	programs, err := filepath.Glob(filepath.Join(*folder, pluginProgram+"-*-*"))
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		return fmt.Errorf("%s contains no program %s-*; run make plugins", *folder, pluginProgram)
	}
	license, err := os.ReadFile(filepath.Join(*root, "LICENSE"))
	if err != nil {
		return err
	}
	manifest := newKrewPlugin(*version)
	slices.Sort(programs)
	for _, program := range programs {
		platform, archive, err := packPlugin(program, license)
		if err != nil {
			return err
		}
		name := strings.Join([]string{pluginProgram, platform.Selector.MatchLabels["os"], platform.Selector.MatchLabels["arch"]}, "_") + ".tar.gz"
		platform.URI = fmt.Sprintf("%s/v%s/%s", *url, *version, name)
		manifest.Spec.Platforms = append(manifest.Spec.Platforms, platform)
		if err := writeReleaseFile(filepath.Join(*folder, name), archive, out); err != nil {
			return err
		}
	}
	text, err := yaml.Marshal(manifest)
	if err != nil {
		return err
	}
	return writeReleaseFile(filepath.Join(*folder, krewName+".yaml"), text, out)
}

func writeReleaseFile(name string, data []byte, out io.Writer) error {
	if err := os.WriteFile(name, data, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(out, name)
	return nil
}

// newKrewPlugin returns the manifest of a version, without platforms.
func newKrewPlugin(version string) krewPlugin {
	manifest := krewPlugin{APIVersion: "krew.googlecontainertools.github.com/v1alpha2", Kind: "Plugin"}
	manifest.Metadata.Name = krewName
	manifest.Spec = krewSpec{
		Version: "v" + version, Homepage: "https://github.com/appmarket/operator",
		ShortDescription: "Install and manage the apps of an app market",
		Description: "Finds the apps of an AppMarket in a cluster, installs them, and upgrades, configures, rolls back and uninstalls\n" +
			"the installed apps. It only reads and writes objects of the API server, with the permissions of the user.\n",
		Caveats: "The plugin needs the AppMarket operator in the cluster:\nhttps://github.com/appmarket/operator/blob/main/docs/installing.md\n",
	}
	return manifest
}

// packPlugin returns the archive of a program, and its platform without the URI. The archive has the
// same bytes each time.
func packPlugin(program string, license []byte) (krewPlatform, []byte, error) {
	binary, err := os.ReadFile(program)
	if err != nil {
		return krewPlatform{}, nil, err
	}
	parts := strings.Split(strings.TrimPrefix(filepath.Base(program), pluginProgram+"-"), "-")
	if len(parts) != 2 {
		return krewPlatform{}, nil, fmt.Errorf("program %s must be named %s-OS-ARCHITECTURE", program, pluginProgram)
	}
	name := pluginProgram
	if parts[0] == "windows" {
		name += ".exe"
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, file := range []struct {
		name string
		mode int64
		data []byte
	}{{name, 0o755, binary}, {"LICENSE", 0o644, license}} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.data)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return krewPlatform{}, nil, err
		}
		if _, err := archive.Write(file.data); err != nil {
			return krewPlatform{}, nil, err
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return krewPlatform{}, nil, err
	}
	return krewPlatform{
		Selector: metav1.LabelSelector{MatchLabels: map[string]string{"os": parts[0], "arch": parts[1]}},
		SHA256:   fmt.Sprintf("%x", sha256.Sum256(out.Bytes())),
		Bin:      name,
	}, out.Bytes(), nil
}
