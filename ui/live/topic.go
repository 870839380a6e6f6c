package live

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/appmarket/operator/ui/kube"
)

const (
	// listInterval and objectInterval are the shortest times between two signals of a topic.
	listInterval, objectInterval = 2 * time.Second, time.Second
	// settleTime is the time between a change and its signal, in which more changes may follow.
	settleTime = 250 * time.Millisecond
)

// Topic is what a stream follows: an object, or a list of objects if Name is empty. Namespace may
// be empty for the list of all namespaces.
type Topic struct {
	Resource, Namespace, Name string
}

// String returns the form of the topic in the address of a stream.
func (t Topic) String() string { return t.Resource + "/" + t.Namespace + "/" + t.Name }

// Signal returns the name of the event of the topic. It is a digest, so that it can be an
// attribute and an event whatever the name of the object is.
func (t Topic) Signal() string {
	digest := sha256.Sum256([]byte(t.String()))
	return "t" + hex.EncodeToString(digest[:5])
}

// ParseTopic returns the topic of the text that String returns.
func ParseTopic(text string) (Topic, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 || len(text) > 400 || (parts[1] == "" && parts[2] != "") {
		return Topic{}, errors.New("the topic is not valid")
	}
	switch parts[0] {
	case kube.Apps, kube.Instances, kube.Tasks, kube.Sources:
		return Topic{Resource: parts[0], Namespace: parts[1], Name: parts[2]}, nil
	}
	return Topic{}, errors.New("the topic is not valid")
}

func (t Topic) minInterval() time.Duration {
	if t.Name == "" {
		return listInterval
	}
	return objectInterval
}

// topicsOf returns the topics to which a change belongs.
func topicsOf(change kube.Change) [3]Topic {
	return [3]Topic{
		{Resource: change.Resource, Namespace: change.Namespace, Name: change.Name},
		{Resource: change.Resource, Namespace: change.Namespace},
		{Resource: change.Resource},
	}
}
