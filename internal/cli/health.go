package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthLimit is how long a probe waits for its answer.
const healthLimit = 4 * time.Second

// HealthCommand makes `health`, which asks a program that runs whether it can work. It is for containers: their images have
// no shell and no other program to ask with. The setting is the one that says where the program listens.
func HealthCommand(env Env, setting string) *cobra.Command {
	return &cobra.Command{
		Use:   "health [URL]",
		Short: "ask a running server whether it is ready",
		Long: "health asks URL, by default /readyz where " + setting + " listens on this machine, and ends with exit code 0 when the answer\n" +
			"is 200 and with 1 otherwise. Where " + setting + " is not set there is nothing to ask, and it ends with 0.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return Usagef("%s takes one URL at most", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := probeAddress(env, setting, args)
			if err != nil || address == "" {
				return Usage(err)
			}
			return probe(cmd.Context(), address)
		},
	}
}

// probeAddress is what to ask: what was typed, or the way from this machine to where the setting listens.
func probeAddress(env Env, setting string, args []string) (string, error) {
	if len(args) == 1 {
		u, err := url.Parse(args[0])
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", fmt.Errorf("%q is not an address to ask: want such as http://127.0.0.1:8080/readyz", args[0])
		}
		return u.String(), nil
	}
	listen := env.value(setting)
	if listen == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%s: %q is not valid here: want an address and a port", setting, listen)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if setting == "MDE_HTTP" && env.value("MDE_HTTP_TLS_CERT") != "" {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/readyz"}).String(), nil
}

// value is a variable of the environment.
func (e Env) value(name string) string {
	for _, kv := range e.Environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// probe asks once. No proxy is used: what is asked is near.
func probe(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if ip, err := netip.ParseAddr(req.URL.Hostname()); err == nil && ip.IsLoopback() {
		// The certificate is for the public name. Nothing is told to whoever answers, and nobody else can on loopback.
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("%s answers %s: %s", address, resp.Status, strings.TrimSpace(string(text)))
	}
	return nil
}
