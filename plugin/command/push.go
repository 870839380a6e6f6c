package command

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/uploadclient"
)

const (
	// uploadAudience is the audience of a token that only the repository accepts.
	uploadAudience = "appmarket.io"
	// maxPushBytes is the maximum size of an archive, which the operator also enforces.
	maxPushBytes = 16 << 20
	// pushRetryDelay is the time before an upload is continued after an interruption.
	pushRetryDelay = time.Second
)

// pushFlags are the flags of the command push.
type pushFlags struct {
	source, account, tokenFile, url, caFile string
}

func (f *Factory) newPushCommand() *cobra.Command {
	var p pushFlags
	c := &cobra.Command{
		Use: "push CHART", Short: "Upload a chart to a source",
		Long: "Uploads the archive of a chart, as helm package writes it, to a source of type Upload. An archive that the source has is not sent again, and an interrupted upload continues where it stopped. The command authenticates with a token of a service account that only the repository accepts, and never sends the credentials of the kubeconfig.",
		Example: f.example("# Upload a chart as a service account of the market",
			"push web-1.0.0.tgz --to team -n market --service-account publisher"),
		Args: exactArgs(1, "the archive of a chart"),
	}
	flags := c.Flags()
	flags.StringVar(&p.source, "to", "", "Source to which the chart is uploaded. Required.")
	flags.StringVar(&p.account, "service-account", "", "Service account in the namespace of the source for which a token is requested.")
	flags.StringVar(&p.tokenFile, "token-file", "", "File with the token of an account that can create marketsources/upload.")
	flags.StringVar(&p.url, "repository-url", "", "URL of the repository, if it is not the URL in the status of the source.")
	flags.StringVar(&p.caFile, "repository-ca", "", "File with the CA certificates of the repository.")
	c.MarkFlagsOneRequired("service-account", "token-file")
	c.MarkFlagsMutuallyExclusive("service-account", "token-file")
	c.RunE = func(c *cobra.Command, arguments []string) error {
		if p.source == "" {
			return errors.New("--to is required: specify a source of type Upload")
		}
		return f.pushChart(c.Context(), p, arguments[0])
	}
	return c
}

// pushChart uploads the archive in a file.
func (f *Factory) pushChart(ctx context.Context, p pushFlags, file string) error {
	archive, err := readArchive(file)
	if err != nil {
		return err
	}
	k, namespace, err := f.connect()
	if err != nil {
		return err
	}
	source := &v1alpha1.MarketSource{}
	if err := k.Get(ctx, client.ObjectKey{Namespace: cmp.Or(f.market, namespace), Name: p.source}, source); err != nil {
		return err
	}
	if source.Spec.Type != v1alpha1.SourceTypeUpload {
		return fmt.Errorf("source %s/%s is of type %s: charts can be uploaded to a source of type Upload", source.Namespace, source.Name, source.Spec.Type)
	}
	pusher, err := f.newUploadClient(ctx, k, p, source)
	if err != nil {
		return err
	}
	result, err := pusher.Push(ctx, filepath.Base(file), archive)
	if err != nil {
		return fmt.Errorf("upload %s to source %s/%s: %s", filepath.Base(file), source.Namespace, source.Name, printable(err.Error()))
	}
	if result == uploadclient.Unchanged {
		f.printResult("source %s/%s already has %s", source.Namespace, source.Name, filepath.Base(file))
		return nil
	}
	f.printResult("%s uploaded to source %s/%s", filepath.Base(file), source.Namespace, source.Name)
	return nil
}

// readArchive reads the file of an archive.
func readArchive(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was only read.
	archive, err := io.ReadAll(io.LimitReader(file, maxPushBytes+1))
	if err == nil && len(archive) > maxPushBytes {
		err = fmt.Errorf("%s: more than %d bytes", name, maxPushBytes)
	}
	return archive, err
}

// newUploadClient returns a client for the uploads of a source.
func (f *Factory) newUploadClient(ctx context.Context, k client.Client, p pushFlags, source *v1alpha1.MarketSource) (*uploadclient.Client, error) {
	target, err := uploadURL(cmp.Or(p.url, strings.TrimSuffix(source.Status.RepositoryURL, "/"+source.Namespace+"/"+source.Name)), source)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if p.caFile != "" {
		certificates, err := os.ReadFile(p.caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(certificates) {
			return nil, fmt.Errorf("--repository-ca: %s has no certificates in PEM", p.caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	token, err := uploadToken(ctx, k, p, source.Namespace)
	if err != nil {
		return nil, err
	}
	return &uploadclient.Client{
		URL: target, Token: token, HTTP: uploadclient.NewHTTPClient(transport), Delay: pushRetryDelay, Progress: f.newPushProgress(),
	}, nil
}

// uploadURL returns the URL of the uploads of a source in a repository.
func uploadURL(repository string, source *v1alpha1.MarketSource) (string, error) {
	parsed, err := url.Parse(repository)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return "", fmt.Errorf("source %s/%s has no repository URL yet: wait until it is ready, or specify --repository-url", source.Namespace, source.Name)
	}
	return strings.TrimSuffix(repository, "/") + "/upload/" + source.Namespace + "/" + source.Name + "/", nil
}

// uploadToken reads a token, or requests one that only the repository accepts.
func uploadToken(ctx context.Context, k client.Client, p pushFlags, namespace string) (string, error) {
	if p.tokenFile != "" {
		token, err := os.ReadFile(p.tokenFile)
		return strings.TrimSpace(string(token)), err
	}
	account := &corev1.ServiceAccount{}
	account.Namespace, account.Name = namespace, p.account
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{uploadAudience}}}
	if err := k.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("request a token of service account %q: %w", p.account, err)
	}
	return request.Status.Token, nil
}

// newPushProgress returns a function that prints the progress in steps of a tenth.
func (f *Factory) newPushProgress() func(sent, total int) {
	shown := 0
	return func(sent, total int) {
		if tenth := sent * 10 / max(total, 1); tenth > shown {
			shown = tenth
			_, _ = fmt.Fprintf(f.Streams.ErrOut, "uploaded %d%%\n", tenth*10) // The result matters, not the progress.
		}
	}
}
