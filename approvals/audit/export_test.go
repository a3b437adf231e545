package audit

import "context"

// Due is due, for tests.
func (k *Keeper) Due(ctx context.Context) (bool, error) { return k.due(ctx) }

// Parse is parseCheckpoint, and Text what it reads.
func Parse(text string) (Checkpoint, error) { return parseCheckpoint(text) }

// Text is the signed form.
func (c Checkpoint) Text() string { return c.text() }
