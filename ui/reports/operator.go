package reports

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// operatorTimeout bounds the requests for the state of the operator, and maxStateBytes their responses.
	operatorTimeout, maxStateBytes = 3 * time.Second, 16 << 10
)

// OperatorState is the state of the operator that serves the repository.
type OperatorState struct {
	Version string
	Ready   bool
	// Checks are the names of the checks that fail.
	Checks []string
}

// FetchState returns the state of the operator. An error says that it does not respond, or ErrNoRepository that its
// URL is unknown.
func (c *Client) FetchState(ctx context.Context) (OperatorState, error) {
	if c.base == nil {
		return OperatorState{}, ErrNoRepository
	}
	ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
	defer cancel()
	var state OperatorState
	var version struct{ Version string }
	if _, err := c.fetchState(ctx, "version", &version); err != nil {
		return state, err
	}
	var readiness struct {
		Dependencies []struct {
			Name  string
			Ready bool
		}
	}
	status, err := c.fetchState(ctx, "readyz", &readiness)
	if err != nil {
		return state, err
	}
	state.Version, state.Ready = version.Version, status == http.StatusOK
	for _, check := range readiness.Dependencies {
		if !check.Ready {
			state.Checks = append(state.Checks, check.Name)
		}
	}
	return state, nil
}

// fetchState reads a document about the state of the operator, and returns the status code of the response.
func (c *Client) fetchState(ctx context.Context, name string, document any) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.JoinPath(name).String(), nil)
	if err != nil {
		return 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable {
		return 0, fmt.Errorf("fetch %s: unexpected status %d", name, response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxStateBytes)).Decode(document); err != nil {
		return 0, fmt.Errorf("fetch %s: %w", name, err)
	}
	return response.StatusCode, nil
}
