package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mde-ops/mde-ops/internal/leaks"
	"github.com/mde-ops/mde-ops/internal/telemetry/telemetrytest"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// collects starts a collector of traces and points the programs at it.
func collects(s *surroundings, ts *testscript.TestScript, _ []string) {
	s.collector = telemetrytest.Start()
	ts.Defer(s.collector.Close)
	ts.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.collector.URL)
}

// admin waits until a process has said in its log where it answers numbers and probes, and sets the variable to that.
func admin(s *surroundings, ts *testscript.TestScript, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	found, ok := s.process(ts, args[0]).stderr.wait(ctx, regexp.MustCompile(`"msg":"numbers and probes are answered"[^\n]*"address":"(127\.0\.0\.1:\d+)"`))
	if !ok {
		ts.Fatalf("%s did not say where it answers\n%s", args[0], s.logs())
	}
	ts.Setenv(args[1], found[1])
}

// fetches asks until the answer has the status: fetches STATUS URL [HEADER].
func fetches(_ *surroundings, ts *testscript.TestScript, args []string) {
	within(ts, func() error {
		resp, body, err := get(args[1], args[2:])
		if err == nil && resp.StatusCode != number(ts, args[0]) {
			err = fmt.Errorf("%s: %s", resp.Status, body)
		}
		return err
	})
}

// counts scrapes until a metric, as NAME{LABEL=VALUE,…}, has a value of at least so much: counts URL METRIC LEAST.
func counts(_ *surroundings, ts *testscript.TestScript, args []string) {
	name, labels, _ := strings.Cut(strings.TrimSuffix(args[1], "}"), "{")
	within(ts, func() error {
		_, body, err := get(args[0], nil)
		if err != nil {
			return err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(body))
		if err != nil {
			ts.Fatalf("not Prometheus' format: %v\n%s", err, body)
		}
		for _, m := range families[name].GetMetric() {
			pairs := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() {
				pairs = append(pairs, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			if strings.Join(pairs, ",") == labels && value >= float64(number(ts, args[2])) {
				return nil
			}
		}
		return fmt.Errorf("%s is not %s yet:\n%s", args[1], args[2], body)
	})
}

func get(url string, headers []string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return nil, "", err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// within tries until it works, for as long as a script waits for anything.
func within(ts *testscript.TestScript, try func() error) {
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
		time.Sleep(100 * time.Millisecond) // what is asked for is another process's, and nothing tells of it
	}
}

// spans wants a span of that name with an attribute: spans NAME KEY=VALUE.
func spans(s *surroundings, ts *testscript.TestScript, args []string) {
	key, value, _ := strings.Cut(args[1], "=")
	within(ts, func() error {
		var names []string
		for _, span := range s.collector.Spans() {
			if span.Name == args[0] && span.Attributes[key] == value {
				return nil
			}
			names = append(names, span.Name)
		}
		return fmt.Errorf("no span %q with %s; there are %q", args[0], args[1], names)
	})
}

// untold looks for what must not be in spans: untold WORD…, besides every secret.
func untold(s *surroundings, ts *testscript.TestScript, args []string) {
	_, faults := s.collector.Posts()
	raw := string(s.collector.Raw())
	if len(faults) > 0 || raw == "" {
		ts.Fatalf("the collector could not read what it was sent: %q", faults)
	}
	for _, word := range args {
		if strings.Contains(raw, word) {
			ts.Fatalf("a span tells of %q", word)
		}
	}
	noSecrets(s, ts, raw)
}

// logsJSON wants every line of a process's log to be JSON with each field once, and no secret in it.
func logsJSON(s *surroundings, ts *testscript.TestScript, args []string) {
	for _, name := range args {
		text := s.process(ts, name).stderr.String()
		if strings.Count(text, "\n") < 5 {
			ts.Fatalf("%s logged hardly anything:\n%s", name, text)
		}
		for line := range strings.Lines(text) {
			if err := oneObject(line); err != nil {
				ts.Fatalf("%s logged a line that is no JSON: %v\n%s", name, err, line)
			}
		}
		noSecrets(s, ts, text)
	}
}

// oneObject reads a line as one JSON object whose fields are there once each.
func oneObject(line string) error {
	dec := json.NewDecoder(strings.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%v %w", t, err)
	}
	seen := map[json.Token]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%v is there twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func noSecrets(s *surroundings, ts *testscript.TestScript, text string) {
	tokens := s.workspace.Tokens()
	found, err := leaks.Find(strings.NewReader(text), mdesim.DefaultAppSecret, mdesim.DefaultReaderSecret, tokens.Bot, tokens.App,
		s.bot["MDE_VOTE_SIGNING_KEY"], "s3cretscrapes")
	ts.Check(err)
	if len(found) > 0 {
		ts.Fatalf("secrets: %v", found)
	}
}
