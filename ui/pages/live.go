package pages

import (
	"context"
	"net/http"

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
	streamed := r.Request
	if r.session.Refresh != "" {
		// The page connects again, and its request refreshes the token.
		ctx, cancel := context.WithDeadline(r.Context(), r.session.TokenExpires)
		defer cancel()
		streamed = streamed.WithContext(ctx)
	}
	s.Hub.Serve(w, streamed, r.session.ID, topics, func(ctx context.Context, topic live.Topic) (bool, error) {
		verb := "list"
		if topic.Name != "" {
			verb = "get"
		}
		return r.Allows(ctx, verb, topic.Resource, topic.Namespace, topic.Name)
	})
}
