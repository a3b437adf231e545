package gate

import "github.com/mde-ops/mde-ops/approvals/control"

// Board has the switches as this gate reads them: it believes what the audit says, so that it only refuses early and shows
// what is stopped. What may run is for a worker's own board to say.
func (g *Gate) Board() *control.Board { return g.board }
