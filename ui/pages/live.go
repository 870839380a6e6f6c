package pages

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

// serveLive serves the stream of a page.
func (s *Server) serveLive(w http.ResponseWriter, r *request) {
	var topics []live.Topic
	for _, text := range r.URL.Query()["t"] {
		topic, err := live.ParseTopic(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		topics = append(topics, topic)
	}
	since, err := parseSince(r.URL.Query().Get("since"))
	if err != nil {
		http.Error(w, "the time of the page is not valid", http.StatusBadRequest)
		return
	}
	requested := live.Request{Session: r.session.ID, User: r.session.User, Topics: topics, Since: since, Allowed: allowedTopics(r.User), Log: s.Log}
	if r.session.Refresh != "" {
		// The page connects again, and its request refreshes the token.
		requested.Until = r.session.TokenExpires
	}
	s.Hub.Serve(w, r.Request, requested)
}

// allowedTopics returns the function that reviews which topics a user may follow.
func allowedTopics(user *kube.User) live.Allowed {
	return func(ctx context.Context, topic live.Topic) (bool, error) {
		verb := "list"
		if topic.Name != "" {
			verb = "get"
		}
		return user.Allows(ctx, verb, topic.Resource, topic.Namespace, topic.Name)
	}
}

// parseSince returns the time in the address of a stream, zero if the address has none.
func parseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	milliseconds, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(milliseconds), err
}
