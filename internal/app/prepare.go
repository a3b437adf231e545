package app

import (
	"errors"
	"log/slog"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Prepare makes a base that has opened nothing, for whoever looks at the parts one by one: only a simulated tenant is
// started, and the configuration completed with its addresses. Close it.
func Prepare(cfg Config, log *slog.Logger) (*Base, error) {
	b := &Base{Config: cfg, Log: log, budgets: azpipe.NewBudgets(0)}
	if !cfg.Sim {
		return b, nil
	}
	if err := b.startTenant(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// StoreURL is where the store is: as configured, or the usual place. It may hold a password.
func (b *Base) StoreURL() (string, error) { return b.storeURL() }

// Credential makes one of the configuration's credentials. Nothing is asked of the network yet.
func (c Config) Credential(cred Credential) (*azpipe.Renewable, error) {
	return azpipe.NewCredential(c.credentialConfig(cred))
}

// Kinds are the kinds of credential that are tried, in their order; nil where the settings name none that is known.
func (c Credential) Kinds() []string {
	kinds, err := azpipe.ParseKinds(c.kind())
	if err != nil {
		return nil
	}
	return kinds
}

// Faults lists what is wrong with a configuration, one text for each fault.
func Faults(err error) []string {
	var found *faultsError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &found):
		return found.list
	}
	return []string{err.Error()}
}

// Limits is what replaces the documented call limits of all endpoints; false where nothing does.
func (t Tenant) Limits() (azpipe.Limit, bool) {
	if own := t.limit(); own != nil {
		return *own, true
	}
	return azpipe.Limit{}, false
}
