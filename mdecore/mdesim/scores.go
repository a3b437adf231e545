package mdesim

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"time"
)

func scoreRoutes() []route {
	p := anyOf("Score.Read.All", "Score.Read")
	return []route{
		on(http.MethodGet, "get_exposure_score", "/api/exposureScore", "get-exposure-score.md", p, exposureScore),
		on(http.MethodGet, "list_exposure_score_by_machine_group", "/api/exposureScore/ByMachineGroups", "get-machine-group-exposure-score.md", p, exposureByGroup),
		on(http.MethodGet, "get_device_secure_score", "/api/configurationScore", "get-device-secure-score.md", p, secureScore),
	}
}

// score is a score of the tenant or of a device group (documentation: score.md).
type score struct {
	Context       string    `json:"@odata.context,omitempty"`
	Time          time.Time `json:"time"`
	Score         float64   `json:"score"`
	RBACGroupName string    `json:"rbacGroupName,omitempty"`
}

// exposureScore is the mean exposure of the managed devices, 0 to 100. The impact
// of all software adds up to it.
func exposureScore(c *call) response {
	whole := groupTally{}
	for _, g := range c.t.survey().groups {
		whole.devices += g.devices
		whole.sum += g.sum
	}
	return c.t.ok(http.StatusOK, score{Context: c.metadata("ExposureScore/$entity"), Time: c.t.now(), Score: whole.score()})
}

// score is the mean exposure, 0 to 100.
func (g groupTally) score() float64 { return 100 * g.sum / float64(max(1, g.devices)) }

func exposureByGroup(c *call) response {
	groups := c.t.survey().groups
	var out []score
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, score{Time: c.t.now(), Score: groups[name].score(), RBACGroupName: name})
	}
	return all(c, "ExposureScore", out)
}

// secureScore adds up what the tenant has earned with its configuration. Every
// recommendation's configScoreImpact is what following it would add.
func secureScore(c *call) response {
	s, sum := c.t.survey(), 0.0
	for i, control := range world().controls {
		count := s.controls[i]
		sum += control.worth(count.total-count.exposed, count.total)
	}
	return c.t.ok(http.StatusOK, score{Context: c.metadata("ConfigurationScore/$entity"), Time: c.t.now(), Score: math.Round(sum*100) / 100})
}

// worth is a control's part of the secure score when n of all devices have it.
func (c *control) worth(n, all int) float64 {
	return 10 * float64(c.points) * float64(n) / float64(max(1, all))
}
