package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/plugin/repository"
)

// maxTokenBytes is the maximum size of the file of a token.
const maxTokenBytes = 64 << 10

// repositoryFlags specify how the repository of the market is read.
type repositoryFlags struct{ namespace, url, tokenFile string }

// addRepositoryFlags adds the flags for the repository.
func (f *Factory) addRepositoryFlags(c *cobra.Command) *repositoryFlags {
	flags := &repositoryFlags{}
	c.Flags().StringVar(&flags.namespace, "operator-namespace", "appmarket-system", "Namespace of the operator, which contains the Service of the repository.")
	c.Flags().StringVar(&flags.url, "repository-url", "", "URL of the repository. If empty, it is reached through the API server.")
	c.Flags().StringVar(&flags.tokenFile, "token-file", "", "With --repository-url: file with a token for sources that are not shared with all namespaces.")
	completeFlag(c, "operator-namespace", f.completeNamespaces)
	return flags
}

// check returns an error for flags that contradict each other.
func (r *repositoryFlags) check(c *cobra.Command) error {
	if r.tokenFile != "" && r.url == "" {
		return cmdutil.UsageErrorf(c, "--token-file requires --repository-url")
	}
	return nil
}

// openRepository returns the repository of the flags.
func (f *Factory) openRepository(ctx context.Context, k client.Client, flags *repositoryFlags) (repository.Client, error) {
	if flags.url != "" {
		token, err := readToken(flags.tokenFile)
		if err != nil {
			return nil, err
		}
		return repository.NewURLClient(flags.url, token)
	}
	config, err := f.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	found, err := repository.FindServiceClient(ctx, config, k, flags.namespace)
	if err != nil && !apierrors.IsUnauthorized(err) {
		return nil, withRepositoryHelp(err)
	}
	return found, err
}

// withRepositoryHelp returns an error with the flags that name the repository.
func withRepositoryHelp(err error) error {
	return &exitError{code: ExitError, cause: err, details: []string{
		"Name the namespace of the operator with --operator-namespace.",
		"If the operator runs outside of the cluster, as with make up, name the URL of its repository with --repository-url.",
	}}
}

// isUnreadable reports whether the user cannot read the repository through the API server: the user does not have
// the permission, the repository requires a token, or the cluster has no Service of it.
func isUnreadable(err error) bool {
	return apierrors.IsForbidden(err) || errors.Is(err, repository.ErrNoService) || errors.Is(err, repository.ErrUnauthorized)
}

// readToken reads a token from a file, "" without a file.
func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	about, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if about.Size() > maxTokenBytes {
		return "", fmt.Errorf("file %s is larger than a token", file)
	}
	content, err := os.ReadFile(file)
	return strings.TrimSpace(string(content)), err
}
