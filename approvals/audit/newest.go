package audit

import (
	"context"
	"fmt"
)

// Newest reads and verifies the newest checkpoint of a place; false when there is none. It says nothing about those before
// it, nor about the audit itself: Verify does.
func Newest(ctx context.Context, keep Keep, keys Keys) (Checkpoint, bool, error) {
	numbers, err := listNumbers(ctx, keep)
	if err != nil || len(numbers) == 0 {
		return Checkpoint{}, false, err
	}
	n := numbers[len(numbers)-1]
	b, err := keep.Read(ctx, fileName(n), maxCheckpoint)
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("checkpoint %d in %s can't be read: %w", n, keep, err)
	}
	c, err := openNumbered(b, keys, n)
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("checkpoint %d in %s does not verify: %w", n, keep, err)
	}
	return c, true, nil
}
