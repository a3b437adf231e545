package mdecore

import (
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// Budgets counts calls per endpoint; share one among the clients of an account.
type Budgets = azpipe.Budgets

// Limit is the call rate of an endpoint, as PerMinute and PerHour calls; zero means no limit of that kind.
type Limit = azpipe.Limit

// TokenInfo is what a token says about its holder: TenantID, AppID, UPN, ObjectID, Roles (application permissions), Scopes
// (delegated ones) and ExpiresOn.
type TokenInfo = azpipe.TokenInfo

// NewBudgets returns empty budgets for sharing. A call that would have to wait longer than maxWait is refused with a
// BudgetError instead; 60 s when zero.
func NewBudgets(maxWait time.Duration) *Budgets { return azpipe.NewBudgets(maxWait) }
