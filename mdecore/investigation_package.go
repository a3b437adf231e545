package mdecore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// NotReadyError says that there is no investigation package yet.
type NotReadyError struct {
	// ActionID is the machine action that collects it.
	ActionID string
}

// Error implements error.
func (e *NotReadyError) Error() string {
	return fmt.Sprintf("the investigation package of action %s is not there: wait until the action has succeeded and ask again "+
		"(2 calls a minute are allowed); if it has succeeded or is unknown, collect a new package", e.ActionID)
}

// GetInvestigationPackageURI returns the link to a collected investigation package, a zip file. The link lives for a short
// time, so use it at once. While the collection runs the service answers 404, which comes back with a *NotReadyError
// inside; WaitMachineAction tells when to ask. The service allows 2 calls a minute and 120 an hour.
// Documentation page: get-package-sas-uri.md.
//
//mde:op GET /api/machineactions/{action_id}/getPackageUri roles=Machine.ReadWrite.All,Machine.CollectForensics
func (c *Client) GetInvestigationPackageURI(ctx context.Context, actionID string) (Link, error) {
	link, err := c.fetchLink(ctx, call{op: "GetInvestigationPackageURI", args: args{idArg("machine action id", actionID)}})
	var failed *Error
	if errors.As(err, &failed) && failed.Status == http.StatusNotFound {
		failed.Err = &NotReadyError{ActionID: actionID}
	}
	return link, err
}

// DownloadInvestigationPackage writes a collected investigation package, a zip file, to w. A package that is not ready is
// an error with a *NotReadyError inside. Documentation page: get-package-sas-uri.md.
func (c *Client) DownloadInvestigationPackage(ctx context.Context, actionID string, w io.Writer, opts DownloadOptions) (DownloadResult, error) {
	return c.download(ctx, "DownloadInvestigationPackage", func(ctx context.Context) (Link, error) {
		return c.GetInvestigationPackageURI(ctx, actionID)
	}, w, opts)
}
