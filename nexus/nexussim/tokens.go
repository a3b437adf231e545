package nexussim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The audiences of the simulator's tokens.
const (
	AudienceARM     = "https://management.core.windows.net/"
	AudienceStorage = "https://storage.azure.com"
)

// Resources are what tokens for the simulator are asked for, without /.default.
func Resources() []string {
	return []string{strings.TrimSuffix(AudienceARM, "/"), AudienceStorage}
}

type claims struct {
	Audience string `json:"aud"`
	AppID    string `json:"appid"`
	Expires  int64  `json:"exp"`
}

// Token makes a token as the simulator takes it, for tests.
func Token(appID, audience string, expires time.Time) string {
	enc := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			panic("nexussim: " + err.Error()) // maps of words and numbers
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	return enc(map[string]string{"alg": "none", "typ": "JWT"}) + "." + enc(claims{audience, appID, expires.Unix()}) + "."
}

// bearer reads the request's token; an empty application is none that can be used.
func (a *Azure) bearer(r *http.Request, audiences ...string) (appID string) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c claims
	if err != nil || json.Unmarshal(raw, &c) != nil || a.now().Unix() >= c.Expires {
		return ""
	}
	if !slices.Contains(audiences, strings.TrimRight(c.Audience, "/")) {
		return ""
	}
	return c.AppID
}

// may reports whether an application may do something.
func (a *Azure) may(app, action string) bool {
	return a.Roles == nil || slices.ContainsFunc(a.Roles[app], func(has string) bool { return has == "*" || strings.EqualFold(has, action) })
}

// unauthorized is Resource Manager's answer to a token that it does not take.
func unauthorized() response {
	resp := problem(http.StatusUnauthorized, "ExpiredAuthenticationToken", "The access token is missing, has expired or is for another audience.")
	resp.header.Set("WWW-Authenticate", `Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token", error_description="The access token is missing, has expired or is for another audience."`)
	return resp
}

// forbidden is Resource Manager's answer to a missing role.
func forbidden(app, action, scope string) response {
	return problem(http.StatusForbidden, "AuthorizationFailed", fmt.Sprintf(
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		app, app, action, scope))
}
