package mdesim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// credential gets a new token over HTTP each time it is asked.
type credential struct {
	server *Server
	client *http.Client
	form   url.Values
}

// UserCredential stands for a person signed in by the Azure CLI: it gets a
// delegated token (scp, upn, oid, name) of one of the tenant's users.
func (s *Server) UserCredential(upn string) azcore.TokenCredential {
	password := DefaultUserPassword
	if u, ok := s.tenant.user(upn); ok {
		password = orDefault(u.Password, password)
	}
	return s.credential(url.Values{
		"grant_type": {"password"}, "client_id": {AzureCLIAppID}, "username": {upn}, "password": {password},
	})
}

// AppCredential gets an application's token by its client secret.
func (s *Server) AppCredential(appID, secret string) azcore.TokenCredential {
	return s.credential(url.Values{
		"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {secret},
	})
}

func (s *Server) credential(form url.Values) azcore.TokenCredential {
	return &credential{server: s, client: s.Client(), form: form}
}

// GetToken asks the token endpoint; its error carries the AADSTS text.
func (c *credential) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	form := url.Values{"scope": {strings.Join(opts.Scopes, " ")}}
	for k, v := range c.form {
		form[k] = v
	}
	endpoint := c.server.URL + "/" + c.server.tenant.ID + "/oauth2/v2.0/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.client.Do(req)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token       string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return azcore.AccessToken{}, fmt.Errorf("mdesim: token answer (status %d): %w", resp.StatusCode, err)
	}
	if resp.StatusCode != http.StatusOK {
		return azcore.AccessToken{}, fmt.Errorf("mdesim: no token: %s", answer.Description)
	}
	return azcore.AccessToken{Token: answer.Token, ExpiresOn: time.Now().Add(time.Duration(answer.ExpiresIn) * time.Second)}, nil
}
