package nexus

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// The api-versions of Microsoft.NetworkCloud that are used. The newer one tells of each node's agent; the older one is
// everywhere where restricted extracts are, so that actions, which tell nothing more in a newer one, use it always.
const (
	versionNewest = "2026-07-01"
	versionBase   = "2025-09-01"
)

// newest performs a read with the newest api-version that the service of a subscription takes. What it does not take is
// remembered when the older one was answered; a client made anew tries again.
func (c *Client) newest(ctx context.Context, subscription string, read func(ctx context.Context, version string) error) error {
	key := strings.ToLower(subscription)
	if _, dated := c.dated.Load(key); dated {
		return read(ctx, versionBase)
	}
	err := read(ctx, versionNewest)
	if !unsupported(err) {
		return err
	}
	if err = read(ctx, versionBase); err == nil {
		c.dated.Store(key, true)
	}
	return err
}

// unsupported reports whether Resource Manager has refused the api-version. Both codes are its own and not the provider's.
// A missing permission is never answered with another version, because a finer right would be gone round.
func unsupported(err error) bool {
	var failed *Error
	if !errors.As(err, &failed) || failed.Status != http.StatusBadRequest && failed.Status != http.StatusNotFound {
		return false
	}
	return failed.Code == "NoRegisteredProviderFound" || failed.Code == "InvalidResourceType"
}
