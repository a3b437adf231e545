package azpipe

import (
	"context"
	"log/slog"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
)

// LogListener returns a function for azcore's log.SetListener that writes azcore's own events to logger at debug level,
// with secrets taken out. azcore hides headers and query values itself, but not what stands inside error texts.
func LogListener(logger *slog.Logger) func(azlog.Event, string) {
	return func(event azlog.Event, text string) {
		if logger.Enabled(context.Background(), slog.LevelDebug) {
			logger.Debug(Redact(text), slog.String("event", string(event)))
		}
	}
}
