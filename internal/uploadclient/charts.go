package uploadclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// maxListBytes bounds the list of the charts of a source, which has at most 10,000.
const maxListBytes = 8 << 20

// Chart is an uploaded chart.
type Chart struct {
	// File is the name of its archive.
	File       string    `json:"file"`
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	AppVersion string    `json:"appVersion"`
	Digest     string    `json:"digest"`
	Size       int64     `json:"size"`
	Created    time.Time `json:"created"`
}

// List returns the charts of the source.
func (c *Client) List(ctx context.Context) ([]Chart, error) {
	got, err := c.sendLimited(ctx, http.MethodGet, c.URL, maxListBytes)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, &ResponseError{Status: got.status, Message: got.message}
	}
	var list struct {
		Charts []Chart `json:"charts"`
	}
	if err := json.Unmarshal([]byte(got.message), &list); err != nil {
		return nil, fmt.Errorf("decode the list of charts: %w", err)
	}
	return list.Charts, nil
}

// Has reports whether the source has an archive with a file name and a digest.
func (c *Client) Has(ctx context.Context, file, digest string) (bool, error) {
	got, err := c.sendRequest(ctx, http.MethodHead, c.targetOf(file, digest), nil, "")
	switch {
	case err != nil:
		return false, err
	case got.status == http.StatusOK, got.status == http.StatusNotFound:
		return got.status == http.StatusOK, nil
	}
	return false, &ResponseError{Status: got.status, Message: got.message}
}

// Delete deletes the chart with a file name. The source refuses it if an instance has installed the chart.
func (c *Client) Delete(ctx context.Context, file string) error {
	got, err := c.sendRequest(ctx, http.MethodDelete, c.URL+url.PathEscape(file), nil, "")
	if err != nil || got.status == http.StatusNoContent {
		return err
	}
	return &ResponseError{Status: got.status, Message: got.message}
}

// targetOf returns the URL of an archive with a digest.
func (c *Client) targetOf(file, digest string) string {
	return c.URL + url.PathEscape(file) + "?digest=" + url.QueryEscape(digest)
}
