package mdecore_test

import (
	"context"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	anIndicator    = `{"id":"995","indicatorValue":"` + fileSHA1 + `"}`
	anImportResult = `{"value":[{"id":"2841","indicator":"` + fileSHA1 + `","isFailed":false,"failureReason":null}]}`
)

// newIndicator is a good request to block a file.
func newIndicator() mdecore.IndicatorRequest {
	return mdecore.IndicatorRequest{
		IndicatorValue: fileSHA1, IndicatorType: mdecore.IndicatorFileSHA1, Action: mdecore.IndicatorBlock, Title: "example", Description: "example file",
	}
}

func indicatorOperations() map[string]operation {
	submit := func(req mdecore.IndicatorRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.SubmitIndicator(ctx, req)
			return err
		}
	}
	imports := func(requests ...mdecore.IndicatorRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.ImportIndicators(ctx, requests)
			return err
		}
	}
	remove := func(ids ...string) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.BatchDeleteIndicators(ctx, ids)
			return err
		}
	}
	list := func(q mdecore.Query) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { return drain(c.ListIndicators(ctx, q)) }
	}
	importing := operation{good: imports(newIndicator())}.changing().answering(anImportResult).refusing(imports(), imports(clashing()...))
	submitting := operation{good: submit(newIndicator())}.changing().answering(anIndicator)
	for _, bad := range badIndicators() {
		submitting = submitting.refusing(submit(bad))
		importing = importing.refusing(imports(newIndicator(), bad))
	}
	deleting := withID("995", func(ctx context.Context, c *mdecore.Client, id string) error { return c.DeleteIndicator(ctx, id) }).changing().answering("")
	deleting.silent = true
	return map[string]operation{
		"ListIndicators": operation{good: list(mdecore.Query{})}.refusing(
			list(mdecore.Query{Page: mdecore.Page{Top: -1}}), list(mdecore.Query{Filter: "a eq 'b"})),
		"SubmitIndicator":       submitting,
		"ImportIndicators":      importing,
		"DeleteIndicator":       deleting,
		"BatchDeleteIndicators": operation{good: remove("1", "2"), silent: true}.changing().answering("").refusing(badBatches(remove)...),
	}
}

// clashing are two requests that the answer of one import could not tell apart.
func clashing() []mdecore.IndicatorRequest {
	thumbprint := newIndicator()
	thumbprint.IndicatorType = mdecore.IndicatorCertificateThumbprint
	thumbprint.IndicatorValue = strings.ToUpper(fileSHA1)
	return []mdecore.IndicatorRequest{newIndicator(), thumbprint}
}

// badIndicators lack a field each, or hold what the service would refuse.
func badIndicators() (bad []mdecore.IndicatorRequest) {
	for _, spoil := range []func(*mdecore.IndicatorRequest){
		func(r *mdecore.IndicatorRequest) { r.IndicatorType = "" },
		func(r *mdecore.IndicatorRequest) { r.IndicatorType = "fileSha1" },
		func(r *mdecore.IndicatorRequest) { r.Action = "" },
		func(r *mdecore.IndicatorRequest) { r.Action = "block" },
		func(r *mdecore.IndicatorRequest) { r.Action = mdecore.IndicatorAudit },
		func(r *mdecore.IndicatorRequest) { r.Severity = mdecore.SeverityUnSpecified },
		func(r *mdecore.IndicatorRequest) { r.Title = " " },
		func(r *mdecore.IndicatorRequest) { r.Title = "two\nlines" },
		func(r *mdecore.IndicatorRequest) { r.Description = "" },
		func(r *mdecore.IndicatorRequest) { r.Application = " " },
		func(r *mdecore.IndicatorRequest) { r.RecommendedActions = "\xff" },
		func(r *mdecore.IndicatorRequest) { r.ExpirationTime.Time = time.Now().Add(-time.Second) },
		func(r *mdecore.IndicatorRequest) { r.RbacGroupNames = []string{"group1", ""} },
		func(r *mdecore.IndicatorRequest) { r.EducateURL = "https://contoso.com" },
	} {
		r := newIndicator()
		spoil(&r)
		bad = append(bad, r)
	}
	for kind, values := range badIndicatorValues() {
		for _, value := range values {
			r := newIndicator()
			r.IndicatorType, r.IndicatorValue = kind, value
			bad = append(bad, r)
		}
	}
	return bad
}

// badIndicatorValues are of another form than their type's, or would hit more than is meant.
func badIndicatorValues() map[mdecore.IndicatorType][]string {
	return map[mdecore.IndicatorType][]string{
		mdecore.IndicatorFileSHA1:              {"", fileSHA256, fileSHA1[1:], "g" + fileSHA1[1:], " " + fileSHA1},
		mdecore.IndicatorFileSHA256:            {"", fileSHA1, fileSHA256 + "0"},
		mdecore.IndicatorFileMD5:               {"", fileSHA1},
		mdecore.IndicatorCertificateThumbprint: {"", fileSHA256, "4d:41:c8"},
		mdecore.IndicatorIPAddress: {
			"", "12.13.14.0/24", "12.13.14", "012.13.14.15", "12.13.14.15:80", "example.com", "0.0.0.0", "127.0.0.1", "10.0.0.1", "192.168.1.1",
			"255.255.255.255", "224.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:12.13.14.15", "2001:db8::/32",
		},
		mdecore.IndicatorDomainName: {"", "com", "localhost", "*.example.com", "https://example.com", "example.com/x", "12.13.14.15", "bücher.example"},
		mdecore.IndicatorURL: {
			"", "https://", "http://com/", "ftp://example.com/", "javascript:alert(1)", "https://user:pass@example.com/", "https://example.com/a b",
			"https://127.0.0.1/", "https://*.example.com/", "https://exa\nmple.com/", "https://example.com:port/", strings.Repeat("a", 4001),
		},
	}
}

func indicatorSamples() map[string]any {
	return map[string]any{
		"list_indicators": new(mdecore.Indicator), "submit_indicator": new(mdecore.Indicator), "import_indicators": new(mdecore.ImportResult),
	}
}

func indicatorResources() map[string]any {
	return map[string]any{"indicator": mdecore.Indicator{}, "importResult": mdecore.ImportResult{}}
}

func indicatorRequests() map[string]any {
	return map[string]any{
		"submit_indicator": mdecore.IndicatorRequest{}, "import_indicators": mdecore.ImportIndicatorsRequest{},
		"batch_delete_indicators": mdecore.BatchDeleteIndicatorsRequest{},
	}
}
