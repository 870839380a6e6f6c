// Package images finds the container images of rendered objects.
//
// FindImages searches objects of every kind for pod specs, custom resources included, and adds
// the images that the app manifest and an annotation in Chart.yaml list, that operators get by
// environment variables and arguments, and that custom resources and annotations of objects name.
// A finding by such a convention is not certain, so it never fails an app. References are
// returned in their full form, such as "docker.io/library/nginx:latest".
package images
