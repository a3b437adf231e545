package reading

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	azcontainer "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/container"
)

// Container opens a container of Azure Blob Storage to read it. Nothing is asked of it yet. The role Storage Blob Data Reader
// is enough. Errors don't show the URL's query.
func Container(o container.Options) (evidence.Bucket, error) {
	client, err := container.New(o)
	if err != nil {
		return nil, err
	}
	return &azure{client: client}, nil
}

type azure struct {
	readOnly
	client *azcontainer.Client
}

// Open implements evidence.Bucket.
func (a *azure) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if length == 0 { // the service can't be asked for no bytes
		if _, err := a.Stat(ctx, key); err != nil {
			return nil, err
		}
		return http.NoBody, nil
	}
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	// A count of zero means to the end.
	part := blob.HTTPRange{Offset: offset, Count: max(length, 0)}
	answer, err := a.client.NewBlobClient(key).DownloadStream(ctx, &blob.DownloadStreamOptions{Range: part})
	if err != nil {
		return nil, azureFault(err)
	}
	return answer.Body, nil
}

// Stat implements evidence.Bucket.
func (a *azure) Stat(ctx context.Context, key string) (evidence.Object, error) {
	if err := CheckKey(key); err != nil {
		return evidence.Object{}, err
	}
	answer, err := a.client.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return evidence.Object{}, azureFault(err)
	}
	return evidence.Object{Key: key, Size: value(answer.ContentLength), ModifiedAt: value(answer.LastModified)}, nil
}

// List implements evidence.Bucket.
func (a *azure) List(ctx context.Context, prefix, token string, limit int) ([]evidence.Object, string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, "", err
	}
	count := int32(min(limit, 5000)) //nolint:gosec // bounded: 5000 is the most that the service gives
	o := &azcontainer.ListBlobsFlatOptions{Prefix: &prefix, MaxResults: &count}
	if token != "" {
		o.Marker = &token
	}
	answer, err := a.client.NewListBlobsFlatPager(o).NextPage(ctx)
	if err != nil {
		return nil, "", azureFault(err)
	}
	var out []evidence.Object
	if answer.Segment != nil {
		for _, item := range answer.Segment.BlobItems {
			if key := value(item.Name); item.Properties != nil && strings.HasPrefix(key, prefix) && shown(key) {
				out = append(out, evidence.Object{Key: key, Size: value(item.Properties.ContentLength), ModifiedAt: value(item.Properties.LastModified)})
			}
		}
	}
	return out, value(answer.NextMarker), nil
}

// Close implements evidence.Bucket.
func (*azure) Close() error { return nil }

func azureFault(err error) error {
	var refused *azcore.ResponseError
	if errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound && refused.ErrorCode != "ContainerNotFound" {
		return evidence.ErrNotFound
	}
	return err
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
