package appinfo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/fairlimiter"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

const (
	// defaultImageInterval is the interval if spec.imageInterval of the source is not set or
	// invalid.
	defaultImageInterval = 24 * time.Hour
	// firstImageRetry and lastImageRetry bound the time until images that could not be looked up
	// are looked up again. It doubles with each attempt.
	firstImageRetry = time.Minute
	lastImageRetry  = 6 * time.Hour
	// maxLookups is the maximum number of concurrent lookups for one app.
	maxLookups = 8
)

// refreshImages looks up images of the selected version again, without hydrating it: all tags
// after the interval of the source, because they may have moved, and images that could not be
// looked up after a backoff.
func (r *Reconciler) refreshImages(ctx context.Context, s *scope) error {
	plan := planLookups(r, s)
	if len(plan.due) > 0 {
		before := s.app.Status.Images
		err := lookUpImages(ctx, r, s, plan.due)
		if errors.Is(err, fairlimiter.ErrTooSlow) {
			r.imageRetries.recordLookup(s.app.UID, true)
			s.nextLookup = r.imageRetries.nextRetry(s.app.UID, time.Now()).remainingTime()
			return nil // The app is served with the images that are known.
		}
		if err != nil {
			return err
		}
		if plan.all {
			now := metav1.Now()
			s.app.Status.ImagesCheckedAt = &now
		}
		r.imageRetries.recordLookup(s.app.UID, len(imageProblems(s.app.Status.Images)) > 0)
		s.reportImages(before)
		plan = planLookups(r, s)
	}
	s.nextLookup = plan.next
	return nil
}

// lookupPlan contains the images to look up now.
type lookupPlan struct {
	// due are the indexes of the images.
	due []int
	// all reports that these are all images that can change.
	all bool
	// next is the time until the next lookup, 0 if there is none.
	next time.Duration
}

// planLookups determines which images are due.
func planLookups(r *Reconciler, s *scope) lookupPlan {
	var tags, failed []int
	for i, image := range s.app.Status.Images {
		if image.Problem != "" {
			failed = append(failed, i)
		}
		if image.Problem != "" || !strings.Contains(image.Name, "@") {
			tags = append(tags, i)
		}
	}
	if len(tags) == 0 {
		return lookupPlan{}
	}
	checked := imagesCheckedAt(s.app)
	interval := imageLookup{at: checked, delay: s.source.Spec.ImageInterval.Or(defaultImageInterval)}
	if interval.isDue() {
		return lookupPlan{due: tags, all: true}
	}
	plan := lookupPlan{next: interval.remainingTime()}
	if len(failed) > 0 {
		retry := r.imageRetries.nextRetry(s.app.UID, checked)
		if retry.isDue() {
			return lookupPlan{due: failed}
		}
		plan.next = min(plan.next, retry.remainingTime())
	}
	return plan
}

// imagesCheckedAt returns the time at which all images were last looked up.
func imagesCheckedAt(app *v1alpha1.AppInfo) time.Time {
	if at := app.Status.ImagesCheckedAt; at != nil {
		return at.Time
	}
	if published := findPublished(app, app.Status.SelectedVersion); published != nil && published.PublishedAt != nil {
		return published.PublishedAt.Time
	}
	return time.Time{}
}

// lookUpImages updates images in status. A failed lookup keeps the details of the last one.
func lookUpImages(ctx context.Context, r *Reconciler, s *scope, due []int) error {
	inspector := r.Inspector(ctx, s.source)
	found := append([]v1alpha1.AppImage(nil), s.app.Status.Images...)
	layers := make([]images.ImageLayers, len(due))
	err := hydrate.AwaitServers(ctx, func(ctx context.Context) error {
		group := errgroup.Group{}
		group.SetLimit(maxLookups)
		for n, i := range due {
			group.Go(outcome.Guarded(func() error {
				found[i], layers[n] = lookUpImage(ctx, inspector, found[i])
				return ctx.Err()
			}))
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	changed := slices.ContainsFunc(due, func(i int) bool { return found[i].Digest != s.app.Status.Images[i].Digest })
	s.app.Status.Images = found
	if !changed {
		return nil
	}
	return updatePullSizes(r, s.app, images.LayersByName(layers))
}

// lookUpImage returns an image with its present details, and its layers. The layers are empty if the lookup failed.
func lookUpImage(ctx context.Context, inspector hydrate.Inspector, known v1alpha1.AppImage) (v1alpha1.AppImage, images.ImageLayers) {
	detail, err := inspector.Inspect(ctx, known.Name)
	if err != nil {
		known.Problem = text.Limit(err.Error(), maxSentence)
		if access := images.AccessOf(nil, err); access != "" {
			known.Access = v1alpha1.ImageAccess(access)
		}
		return known, images.ImageLayers{}
	}
	found := images.ToAppImage(images.Image{Name: known.Name, Detail: &detail, Access: images.AccessOf(&detail, nil)})
	if known.Digest != "" && len(known.Platforms) == 0 {
		found.Platforms = nil // They were removed because status was too large.
	}
	return found, images.LayersOf(known.Name, &detail)
}

// reportImages emits an event for images whose digest has changed, and updates the message of the
// Analyzed condition.
func (s *scope) reportImages(before []v1alpha1.AppImage) {
	st := &s.app.Status
	if changes := imageChanges(before, st.Images); len(changes) > 0 {
		s.statusWriter.Report(corev1.EventTypeNormal, v1alpha1.ReasonAnalyzed,
			"images of version "+st.SelectedVersion+": "+formatNames(changes))
	}
	count := len(st.Images)
	if st.Summary != nil {
		count = max(count, int(st.Summary.ImageCount))
	}
	if meta.IsStatusConditionTrue(st.Conditions, v1alpha1.ConditionAnalyzed) {
		s.statusWriter.MarkTrue(v1alpha1.ConditionAnalyzed, v1alpha1.ReasonAnalyzed, lookupMessage(count, imageProblems(st.Images)))
	}
}

// imageProblems returns the problems of the images that could not be looked up.
func imageProblems(list []v1alpha1.AppImage) []string {
	var problems []string
	for _, image := range list {
		if image.Problem != "" {
			problems = append(problems, image.Problem)
		}
	}
	return problems
}

// imageLookup is a lookup that is repeated after a delay.
type imageLookup struct {
	at    time.Time
	delay time.Duration
}

// isDue reports whether the delay has passed. The jitter of the queue can requeue an app up to a
// tenth of the delay earlier.
func (l imageLookup) isDue() bool { return time.Since(l.at) >= l.delay*9/10 }

// remainingTime returns the time until the end of the delay, at least one second.
func (l imageLookup) remainingTime() time.Duration {
	return max(l.delay-time.Since(l.at), time.Second)
}

// imageRetries contains the last lookup of each app with images that could not be looked up. It is
// kept in memory: after a restart, the delay begins with the first one.
type imageRetries struct {
	mu   sync.Mutex
	apps map[types.UID]imageLookup
}

// nextRetry returns the next lookup of an app whose images were looked up at a time.
func (r *imageRetries) nextRetry(app types.UID, checked time.Time) imageLookup {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.apps[app]; ok {
		return known
	}
	return imageLookup{at: checked, delay: firstImageRetry}
}

// recordLookup records a lookup and whether it failed for some images.
func (r *imageRetries) recordLookup(app types.UID, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !failed {
		delete(r.apps, app)
		return
	}
	if r.apps == nil {
		r.apps = map[types.UID]imageLookup{}
	}
	delay := 2 * firstImageRetry
	if known, ok := r.apps[app]; ok {
		delay = min(2*known.delay, lastImageRetry)
	}
	r.apps[app] = imageLookup{at: time.Now(), delay: delay}
}

// deleteRetry removes the lookup of an app.
func (r *imageRetries) deleteRetry(app types.UID) { r.recordLookup(app, false) }
