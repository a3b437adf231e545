// Package azure opens a container of Azure Blob Storage for the evidence store. It is apart from the other buckets because
// importing its driver costs time at the start of a program.
package azure

import (
	"context"
	"fmt"

	"gocloud.dev/blob/azureblob"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
	"github.com/mde-ops/mde-ops/internal/evidence/container"
)

// Options say which container to open and as whom.
type Options = container.Options

// Open opens the container. Nothing is asked of it yet. Errors don't show the URL's query.
func Open(ctx context.Context, o Options) (evidence.Bucket, error) {
	client, err := container.New(o)
	if err != nil {
		return nil, err
	}
	b, err := azureblob.OpenBucket(ctx, client, nil)
	if err != nil {
		return nil, fmt.Errorf("the evidence container can't be opened: %w", err)
	}
	return blobs.Bucket(b), nil
}
