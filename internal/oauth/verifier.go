package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Options say whose tokens are taken, and what for.
type Options struct {
	// Issuer is who issues them, exactly as tokens name it; its keys are found through its discovery document.
	Issuer string
	// Audience is this application, as tokens name it: its client id or its api:// name. With api://<client id> the client id
	// is meant as well, because version 2.0 tokens name that.
	Audience string
	// Tenant is the id of the tenant that people must be members of.
	Tenant string
	// Scope is what a client must have been given on a person's behalf: a name such as access_as_user, or the whole
	// api://…/access_as_user where the audience is not its prefix.
	Scope string
	// Apps are the applications that may call with nobody signed in, by client id, with the person who answers for each.
	Apps map[string]string
	// Client fetches the issuer's keys.
	Client *http.Client
	// Clock is the current time; time.Now when nil.
	Clock func() time.Time
	// RefreshFloor is the shortest time between two fetches of keys; 30 s unless set.
	RefreshFloor time.Duration
}

// Identity is who a token proves.
type Identity struct {
	// Person says that a person signed in. Otherwise it is an application that may call without one.
	Person bool
	// ID is the person's user principal name in lower case; of an application, the person who answers for it.
	ID, Name string
	// ObjectID is the object id in Entra ID; AppID the client that the token was given to.
	ObjectID, AppID string
	// Roles are the app roles that were assigned.
	Roles []string
	// Expires is when the token ends.
	Expires time.Time
}

// Verifier judges tokens. It is safe for concurrent use.
type Verifier struct {
	o         Options
	audiences []string
	scope     string // as the claim has it
	full      string // as clients ask for it
	keys      *keySet
	seen      verified
}

const (
	defaultFloor = 30 * time.Second
	maxToken     = 32 << 10 // with as many groups and roles as Entra ID puts into one
)

// New checks the options. Nothing is fetched before the first token.
func New(o Options) (*Verifier, error) {
	issuer, err := url.Parse(o.Issuer)
	switch {
	case err != nil || issuer.Scheme != "https" || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "":
		return nil, errors.New("oauth: the issuer must be an https URL")
	case o.Audience == "" || o.Tenant == "" || o.Scope == "":
		return nil, errors.New("oauth: audience, tenant and scope must be set")
	case o.Client == nil:
		return nil, errors.New("oauth: no HTTP client to fetch keys with")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.RefreshFloor <= 0 {
		o.RefreshFloor = defaultFloor
	}
	v := &Verifier{o: o, audiences: []string{o.Audience}, full: o.Scope, keys: newKeySet(o)}
	if id, ok := strings.CutPrefix(o.Audience, "api://"); ok && isGUID(id) {
		v.audiences = append(v.audiences, id)
	}
	if i := strings.LastIndexByte(o.Scope, '/'); i >= 0 {
		v.scope = o.Scope[i+1:]
	} else {
		v.scope, v.full = o.Scope, "api://"+strings.TrimPrefix(o.Audience, "api://")+"/"+o.Scope
	}
	return v, nil
}

// claims are what is looked at in a token of either version.
type claims struct {
	jwt.RegisteredClaims
	Tenant    string   `json:"tid"`
	ObjectID  string   `json:"oid"`
	UPN       string   `json:"upn"`                // of version 1.0, or configured
	Preferred string   `json:"preferred_username"` // of version 2.0: for members the user principal name
	Name      string   `json:"name"`
	Scope     string   `json:"scp"`
	Roles     []string `json:"roles"`
	AppID     string   `json:"appid"` // of version 1.0
	Client    string   `json:"azp"`   // of version 2.0
	IDType    string   `json:"idtyp"`
	Provider  string   `json:"idp"`
	Account   int      `json:"acct"`
}

// Verify says who a token proves. Every error is a *Refusal.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if len(token) > maxToken {
		return Identity{}, refuse(badToken, "the token is too long")
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithIssuer(v.o.Issuer),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(v.o.Clock))
	sum := sha256.Sum256([]byte(token))
	if id, ok := v.known(sum); ok {
		return id, nil
	}
	var c claims
	var by signed
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		if _, critical := t.Header["crit"]; critical || id == "" {
			return nil, refuse(badToken, "the token's header is not one that is understood here")
		}
		key, err := v.keys.find(ctx, id)
		by = signed{kid: id, key: key}
		return key, err
	})
	if err != nil {
		return Identity{}, fault(err)
	}
	if err := v.meant(c); err != nil {
		return Identity{}, err
	}
	id, err := v.identify(c)
	if err == nil {
		v.seen.keep(sum, by, id)
	}
	return id, err
}

// fault says what is wrong with a token without repeating any of it.
func fault(err error) *Refusal {
	var known *Refusal
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse(badToken, "the token is expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refuse(badToken, "the token is not valid yet")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return refuse(badToken, "the token is of another issuer")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return refuse(badToken, "the token's signature is not valid")
	}
	return refuse(badToken, "the token is not valid")
}

// meant refuses a token that is for somebody else or of another tenant.
func (v *Verifier) meant(c claims) error {
	switch {
	case len(c.Audience) != 1 || !slices.Contains(v.audiences, c.Audience[0]):
		return refuse(badToken, "the token is for another audience")
	case !strings.EqualFold(c.Tenant, v.o.Tenant):
		return refuse(badToken, "the token is of another tenant")
	}
	return nil
}

// identify is who good claims are about: a person where a client got a scope on somebody's behalf, else an application.
func (v *Verifier) identify(c claims) (Identity, error) {
	client := c.Client
	if client == "" {
		client = c.AppID
	}
	id := Identity{ObjectID: strings.ToLower(c.ObjectID), AppID: strings.ToLower(client), Roles: c.Roles, Expires: c.ExpiresAt.Time}
	scopes := strings.Fields(c.Scope)
	if len(scopes) == 0 || c.IDType == "app" {
		return v.application(id, c)
	}
	if !slices.Contains(scopes, v.scope) {
		return Identity{}, refuse(noScope, "the token lacks the scope "+v.full)
	}
	if v.guest(c) {
		return Identity{}, refuse(notAllowed, "guests of the tenant may not call here; sign in as a member")
	}
	name := c.UPN
	if name == "" {
		name = c.Preferred
	}
	if !isAddress(name) || c.ObjectID == "" {
		return Identity{}, refuse(notAllowed, "the token does not name the person's user principal name and object id, so it does not prove who is signed in")
	}
	id.Person, id.ID, id.Name = true, strings.ToLower(name), c.Name
	return id, nil
}

// guest reports whether somebody's account is another tenant's. Its name was given there, so it could be that of one of ours.
func (v *Verifier) guest(c claims) bool {
	elsewhere := c.Provider != "" && c.Provider != v.o.Issuer && !strings.Contains(strings.ToLower(c.Provider), strings.ToLower(v.o.Tenant))
	return c.Account != 0 || elsewhere || strings.Contains(strings.ToUpper(c.UPN), "#EXT#")
}

// application takes an application that is listed. An ID token looks like one but names nobody whom it was given to, and its
// subject is not the object.
func (v *Verifier) application(id Identity, c claims) (Identity, error) {
	for app, person := range v.o.Apps {
		if strings.EqualFold(app, id.AppID) && c.ObjectID != "" && c.Subject == c.ObjectID {
			id.ID, id.Name = strings.ToLower(person), person
			return id, nil
		}
	}
	return Identity{}, refuse(notAllowed, "nobody is signed in behind this token, and its application is not one that may call without a person")
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && !strings.ContainsAny(s, ":/ \"") && isASCII(s)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isGUID reports whether a text has the form of a client id.
func isGUID(s string) bool {
	parts := strings.Split(s, "-")
	lengths := []int{8, 4, 4, 4, 12}
	if len(parts) != len(lengths) {
		return false
	}
	for i, p := range parts {
		if len(p) != lengths[i] || strings.Trim(p, "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}
