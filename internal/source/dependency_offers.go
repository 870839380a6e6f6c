package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/index"
)

// dependencyOffers selects the version of each dependency from the entries of a repository: the
// version with the same text, or else the newest version in the range. It stores no other entries.
type dependencyOffers struct {
	wanted []chart.Dependency
	ranges []*semver.Constraints
	// repository is the repository for messages.
	repository string
	found      []*rankedOffer
	// invalid contains the first error of an entry by the name of its chart.
	invalid map[string]error
}

func newDependencyOffers(wanted []chart.Dependency, repository string) (*dependencyOffers, error) {
	d := &dependencyOffers{wanted: wanted, repository: repository, found: make([]*rankedOffer, len(wanted)), invalid: map[string]error{}}
	for _, each := range wanted {
		allowed, err := chart.ParseVersionRange(each.Version)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each, err)
		}
		d.ranges = append(d.ranges, allowed)
	}
	return d, nil
}

// newCollector returns an empty copy.
func (d *dependencyOffers) newCollector() *dependencyOffers {
	return &dependencyOffers{
		wanted: d.wanted, ranges: d.ranges, repository: d.repository,
		found: make([]*rankedOffer, len(d.wanted)), invalid: map[string]error{},
	}
}

// Wants reports whether a dependency has the name of an app.
func (d *dependencyOffers) Wants(app string) bool {
	for _, each := range d.wanted {
		if each.Name == app {
			return true
		}
	}
	return false
}

// Add adds an entry of the index.
func (d *dependencyOffers) Add(app string, entry index.Entry) error {
	if entry.Removed || entry.Name != app {
		return nil
	}
	offer, err := newRankedOffer(entry)
	if err != nil {
		d.Skip(app, err)
		return nil
	}
	d.addOffer(app, offer)
	return nil
}

// Skip stores the error of an entry, for the case that no version is found.
func (d *dependencyOffers) Skip(app string, err error) {
	if d.invalid[app] == nil {
		d.invalid[app] = err
	}
}

func (d *dependencyOffers) addOffer(app string, offer rankedOffer) {
	for i, each := range d.wanted {
		if each.Name == app {
			d.addOfferOf(i, offer)
		}
	}
}

// addOfferOf adds an offer of the chart of one dependency.
func (d *dependencyOffers) addOfferOf(i int, offer rankedOffer) {
	wanted, have := d.wanted[i].Version, d.found[i]
	switch {
	case have != nil && have.offer.Version == wanted:
	case offer.offer.Version == wanted:
		d.found[i] = &offer
	case d.ranges[i].Check(offer.version) && (have == nil || offer.compareVersion(*have) > 0):
		d.found[i] = &offer
	}
}

// listOffers returns the offer of each dependency, or an error for the first one without an offer.
func (d *dependencyOffers) listOffers() ([]hydrate.Offer, error) {
	offers := make([]hydrate.Offer, len(d.wanted))
	for i, each := range d.wanted {
		if d.found[i] == nil {
			err := fmt.Errorf("%s: %s has no such chart or version", each, d.repository)
			if cause := d.invalid[each.Name]; cause != nil {
				err = fmt.Errorf("%w; an entry of the chart is invalid: %w", err, cause)
			}
			return nil, outcome.Stalled(v1alpha1.ReasonNotFound, err)
		}
		offers[i] = d.found[i].offer
	}
	return offers, nil
}

// readOffers reads the index of a repository.
func (r *repository) readOffers(ctx context.Context, wanted *dependencyOffers) (*dependencyOffers, error) {
	response, err := r.client.sendGet(ctx, r.indexURL, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := r.client.checkStatus(response, r.indexURL); err != nil {
		if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
			err = outcome.Failed(v1alpha1.ReasonUnauthorized, fmt.Errorf(
				"get %s: server returned %d %s: credentials are only sent to the server of the source", redactURL(r.indexURL), response.StatusCode, http.StatusText(response.StatusCode)))
		}
		return nil, err
	}
	found, complete, err := index.Read(response.Body, wanted.newCollector)
	switch {
	case outcome.IsStalled(err):
		return nil, fmt.Errorf("get %s: %w", redactURL(r.indexURL), err)
	case err != nil:
		return nil, r.client.connectionError(r.indexURL, err)
	case !complete:
		for _, each := range wanted.wanted {
			found.Skip(each.Name, errors.New("a part of the index is not valid YAML"))
		}
	}
	return found, nil
}
