package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// destination is a collector, as the standard OTEL_EXPORTER_OTLP_* variables describe it.
type destination struct {
	url     string
	headers http.Header
	gzip    bool
	limit   time.Duration
	tls     *tls.Config
}

// defaultCollector is where a collector listens by default.
const defaultCollector = "http://localhost:4318"

// destinationOf reads the variables: one for traces goes before the one for everything.
func destinationOf(env map[string]string) (*destination, error) {
	get := func(name string) string {
		if v := env["OTEL_EXPORTER_OTLP_TRACES_"+name]; v != "" {
			return v
		}
		return env["OTEL_EXPORTER_OTLP_"+name]
	}
	switch protocol := get("PROTOCOL"); protocol {
	case "", "http/protobuf":
	case "grpc":
		return nil, errGRPC
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %q is not spoken here: want http/protobuf", protocol)
	}
	d := &destination{limit: sendLimit}
	var err error
	if d.url, err = address(env); err != nil {
		return nil, err
	}
	if d.headers, err = headers(get("HEADERS")); err != nil {
		return nil, err
	}
	switch how := get("COMPRESSION"); how {
	case "", "none":
	case "gzip":
		d.gzip = true
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_COMPRESSION: %q is not known here: want gzip or none", how)
	}
	if text := get("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms < 1 {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT: %q is not valid here: want milliseconds", text)
		}
		d.limit = time.Duration(ms) * time.Millisecond
	}
	d.tls, err = trust(get("CERTIFICATE"), get("CLIENT_CERTIFICATE"), get("CLIENT_KEY"))
	return d, err
}

// address is where traces are posted: the address for traces as it is, or the general one with the path for traces.
func address(env map[string]string) (string, error) {
	name, text := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
	general := text == ""
	if general {
		name, text = "OTEL_EXPORTER_OTLP_ENDPOINT", env["OTEL_EXPORTER_OTLP_ENDPOINT"]
	}
	if text == "" {
		text = defaultCollector
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return "", fmt.Errorf("%s is not valid here: want http or https and a host, such as %s, and no password in it", name, defaultCollector)
	}
	if general {
		u = u.JoinPath("v1/traces")
	}
	return u.String(), nil
}

// headers reads name=value pairs. They often hold a key, so no error shows them.
func headers(text string) (http.Header, error) {
	all := http.Header{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), unescaped(strings.TrimSpace(value))
		if !ok || name == "" || strings.ContainsAny(name+value, "\r\n") {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS is not valid here: want name=value pairs, separated by commas")
		}
		all.Add(name, value)
	}
	return all, nil
}

// unescaped is a value of which some characters may be written as in an address; as it is, where that is not so.
func unescaped(value string) string {
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

// trust reads the files of certificates.
func trust(roots, cert, key string) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if roots != "" {
		pem, err := os.ReadFile(roots)
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE can't be read: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %s holds no certificate in PEM", roots)
		}
	}
	if cert == "" && key == "" {
		return t, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY can't be used: %w", err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}
