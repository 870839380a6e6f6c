// Package diagnostics writes an archive with the state of an app market, for a bug report. It contains no
// Secret, and confidential parts of other objects are replaced.
package diagnostics

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/text"
)

const (
	// pageSize is the number of objects of one request, and maxPages bounds the number of requests per kind.
	pageSize, maxPages = "500", 100
	// maxLogBytes and maxLogLines bound the log of a container.
	maxLogBytes, maxLogLines = 2 << 20, 5000
	// maxProblem is the maximum length of the reason why something could not be read.
	maxProblem = 500
)

// Options specifies what the archive contains.
type Options struct {
	// Namespace is read if the user may not read all namespaces.
	Namespace string
	// OperatorNamespace is the namespace of the operator. If it is empty, the Pods of the operator are searched in
	// all namespaces.
	OperatorNamespace string
	// Version is the version of the program.
	Version string
	// Now is the time of the files.
	Now time.Time
}

// writer writes the files of an archive.
type writer struct {
	clients  kubernetes.Interface
	archive  *tar.Writer
	options  Options
	problems []string
}

// Write writes an archive in the format of tar, compressed with gzip. It returns what could not be read, which
// the archive contains as well.
func Write(ctx context.Context, config *rest.Config, out io.Writer, o Options) ([]string, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	packed := gzip.NewWriter(out)
	w := &writer{clients: clients, archive: tar.NewWriter(packed), options: o}
	for _, step := range []func(context.Context) error{w.addVersions, w.addDefinitions, w.addKinds, w.addEvents, w.addOperator} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if len(w.problems) > 0 {
		if err := w.add("problems.txt", []byte(strings.Join(w.problems, "\n")+"\n")); err != nil {
			return nil, err
		}
	}
	return w.problems, errors.Join(w.archive.Close(), packed.Close())
}

// add adds a file. Tokens in its content are replaced.
func (w *writer) add(name string, content []byte) error {
	content = maskTokens(content)
	header := &tar.Header{Name: path.Join("appmarket", name), Mode: 0o600, Size: int64(len(content)), ModTime: w.options.Now}
	if err := w.archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.archive.Write(content)
	return err
}

// addProblem records what could not be read. The end of the context is returned as an error instead.
func (w *writer) addProblem(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.problems = append(w.problems, name+": "+text.Printable(text.OneLine(err.Error(), maxProblem), maxProblem))
	return nil
}

// addYAML adds a file with a value as YAML.
func (w *writer) addYAML(name string, value any) error {
	content, err := yaml.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return w.add(name, content)
}

// get reads a path of the API server.
func (w *writer) get(ctx context.Context, location string, query url.Values) ([]byte, error) {
	request := w.clients.Discovery().RESTClient().Get().AbsPath(location)
	for key, values := range query {
		request = request.Param(key, values[0])
	}
	return request.DoRaw(ctx)
}

// getList reads all objects of a list, with their confidential parts replaced.
func (w *writer) getList(ctx context.Context, location string, query url.Values) (*unstructured.UnstructuredList, error) {
	all := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	next := url.Values{"limit": {pageSize}}
	for key, values := range query {
		next[key] = values
	}
	for range maxPages {
		content, err := w.get(ctx, location, next)
		if err != nil {
			return nil, err
		}
		var page struct {
			metav1.ListMeta `json:"metadata"`
			Items           []map[string]any `json:"items"`
		}
		if err := json.Unmarshal(content, &page); err != nil {
			return nil, fmt.Errorf("decode %s: %w", location, err)
		}
		for _, object := range page.Items {
			maskObject(object)
			all.Items = append(all.Items, unstructured.Unstructured{Object: object})
		}
		if page.Continue == "" {
			break
		}
		next.Set("continue", page.Continue)
	}
	return all, nil
}
