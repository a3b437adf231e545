package download

import (
	"net/url"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// parseLink reads an issued link and refuses what can never be one. Its errors say nothing of the link but its host.
func (c *Client) parseLink(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, &Error{Reason: "the issued link is not an absolute URL"}
	case u.User != nil:
		return nil, &Error{Host: u.Host, Reason: "the issued link holds a user name, which would be sent as a credential"}
	case u.Scheme != "https" && (u.Scheme != "http" || !azpipe.IsLoopback(u.Hostname())):
		return nil, &Error{Host: u.Host, Reason: "the issued link is not https, so anybody on the way could use it (http is accepted on a loopback address)"}
	}
	u.Fragment, u.RawFragment = "", ""
	if err := c.checkLink(u); err != nil {
		return nil, &Error{Host: u.Host, Reason: "the issued link is refused and nothing was sent to it", Err: hide(err, u)}
	}
	return u, nil
}
