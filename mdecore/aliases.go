package mdecore

import "github.com/mde-ops/mde-ops/internal/azpipe"

// Budgets counts calls per endpoint; share one among the clients of an account.
type Budgets = azpipe.Budgets

// Limit is the call rate of an endpoint.
type Limit = azpipe.Limit

// TokenInfo is what a token says about its holder.
type TokenInfo = azpipe.TokenInfo

// NewBudgets returns empty budgets with the default patience of 60 s.
func NewBudgets() *Budgets { return azpipe.NewBudgets(0) }
