package session

import "time"

// ticketAge is the time for which a ticket is valid.
const ticketAge = 30 * time.Second

// Ticket confirms on an open connection that a user is still signed in. It contains the present token of the
// user, which an issuer or a proxy may have replaced since the connection was opened.
type Ticket struct {
	User  string `json:"u"`
	Token string `json:"t,omitempty"`
	// Local reports that the user redeemed a one-time link.
	Local  bool      `json:"l,omitempty"`
	Issued time.Time `json:"i"`
}

// SealTicket encrypts a ticket, so that a page can pass it on and not read it. It is no cookie: a request with
// it is not signed in.
func (c *Cookies) SealTicket(s Session, now time.Time) (string, error) {
	return c.seal(c.name+" ticket", Ticket{User: s.User, Token: s.Token, Local: s.Local, Issued: now})
}

// OpenTicket decrypts a ticket. It returns false if the ticket is not valid, or too old.
func (c *Cookies) OpenTicket(text string, now time.Time) (Ticket, bool) {
	var t Ticket
	if !c.unseal(c.name+" ticket", text, &t) || now.Sub(t.Issued) > ticketAge {
		return Ticket{}, false
	}
	return t, true
}
