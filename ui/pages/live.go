package pages

import (
	"context"
	"net/http"
	"strconv"
	"time"

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
	streamed := r.Request
	if r.session.Refresh != "" {
		// The page connects again, and its request refreshes the token.
		ctx, cancel := context.WithDeadline(r.Context(), r.session.TokenExpires)
		defer cancel()
		streamed = streamed.WithContext(ctx)
	}
	s.Hub.Serve(w, streamed, r.session.ID, topics, since, func(ctx context.Context, topic live.Topic) (bool, error) {
		verb := "list"
		if topic.Name != "" {
			verb = "get"
		}
		return r.Allows(ctx, verb, topic.Resource, topic.Namespace, topic.Name)
	})
}

// parseSince returns the time in the address of a stream, zero if the address has none.
func parseSince(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	milliseconds, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(milliseconds), err
}
