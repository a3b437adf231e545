package mdecore

import (
	"context"
	"iter"
)

// GetExposureScore returns the exposure score of the tenant, 0 to 100. Documentation page: get-exposure-score.md.
//
//mde:op GET /api/exposureScore roles=Score.Read.All
func (c *Client) GetExposureScore(ctx context.Context) (*Score, error) {
	return fetch[Score](ctx, c, call{op: "GetExposureScore"})
}

// ListExposureScoreByMachineGroup iterates over the exposure scores of the device groups. Documentation page:
// get-machine-group-exposure-score.md.
//
//mde:op GET /api/exposureScore/ByMachineGroups roles=Score.Read.All
func (c *Client) ListExposureScoreByMachineGroup(ctx context.Context) iter.Seq2[*Score, error] {
	return list[Score](ctx, c, call{op: "ListExposureScoreByMachineGroup"}, Page{})
}

// GetDeviceSecureScore returns the secure score of the tenant's devices. Documentation page: get-device-secure-score.md.
//
//mde:op GET /api/configurationScore roles=Score.Read.All
func (c *Client) GetDeviceSecureScore(ctx context.Context) (*Score, error) {
	return fetch[Score](ctx, c, call{op: "GetDeviceSecureScore"})
}
