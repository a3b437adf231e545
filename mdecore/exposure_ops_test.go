package mdecore_test

import (
	"context"
	"iter"
	"maps"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	cveID            = "CVE-2019-0608"
	softwareID       = "microsoft-_-edge"
	recommendationID = "va-_-google-_-chrome"
	scidID           = "sca-_-scid-2010"
	taskID           = "03942ef5-aecb-4a6e-b555-d6a97013844a"
)

// listOf is an operation that lists what hangs on an id.
func listOf[T any](good string, list func(*mdecore.Client, context.Context, string) iter.Seq2[*T, error]) operation {
	return withID(good, func(ctx context.Context, c *mdecore.Client, id string) error { return drain(list(c, ctx, id)) })
}

// oneOf is an operation that reads what has an id.
func oneOf[T any](good string, get func(*mdecore.Client, context.Context, string) (*T, error)) operation {
	return withID(good, func(ctx context.Context, c *mdecore.Client, id string) error {
		_, err := get(c, ctx, id)
		return err
	}).answering(`{"id":"` + good + `"}`)
}

// listBy is an operation that lists what a query selects, and refuses a bad one.
func listBy[T any](list func(context.Context, *mdecore.Client, mdecore.Page) iter.Seq2[*T, error]) operation {
	return operation{good: func(ctx context.Context, c *mdecore.Client) error {
		return drain(list(ctx, c, mdecore.Page{}))
	}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
		return drain(list(ctx, c, mdecore.Page{Top: -1}))
	}, func(ctx context.Context, c *mdecore.Client) error {
		return drain(list(ctx, c, mdecore.Page{Skip: -1}))
	})
}

func exposureOperations() map[string]operation {
	ops := map[string]operation{
		"GetExposureScore": {good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.GetExposureScore(ctx)
			return err
		}},
		"ListExposureScoreByMachineGroup": {good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListExposureScoreByMachineGroup(ctx))
		}},
		"GetDeviceSecureScore": {good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.GetDeviceSecureScore(ctx)
			return err
		}},
		"ListRemediationTasks": listBy(func(ctx context.Context, c *mdecore.Client, p mdecore.Page) iter.Seq2[*mdecore.RemediationTask, error] {
			return c.ListRemediationTasks(ctx, mdecore.Query{Page: p})
		}),
		"GetRemediationTask":          oneOf(taskID, (*mdecore.Client).GetRemediationTask),
		"ListRemediationTaskMachines": listOf(taskID, (*mdecore.Client).ListRemediationTaskMachines),
	}
	maps.Copy(ops, softwareOperations())
	maps.Copy(ops, vulnerabilityOperations())
	maps.Copy(ops, recommendationOperations())
	return ops
}

func softwareOperations() map[string]operation {
	return map[string]operation{
		"ListSoftware": listBy(func(ctx context.Context, c *mdecore.Client, p mdecore.Page) iter.Seq2[*mdecore.Software, error] {
			return c.ListSoftware(ctx, mdecore.Query{Page: p})
		}),
		"GetSoftware": oneOf(softwareID, (*mdecore.Client).GetSoftware).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.GetSoftware(ctx, "edge")
			return err
		}),
		"ListSoftwareVersionDistribution": listOf(softwareID, (*mdecore.Client).ListSoftwareVersionDistribution),
		"ListSoftwareMachines":            listOf(softwareID, (*mdecore.Client).ListSoftwareMachines),
		"ListSoftwareVulnerabilities":     listOf(softwareID, (*mdecore.Client).ListSoftwareVulnerabilities),
		"ListSoftwareMissingKBs":          listOf(softwareID, (*mdecore.Client).ListSoftwareMissingKBs),
		"ListMachineSoftware":             listOf(machineID, (*mdecore.Client).ListMachineSoftware),
		"ListMachineMissingKBs":           listOf(machineID, (*mdecore.Client).ListMachineMissingKBs),
	}
}

func vulnerabilityOperations() map[string]operation {
	return map[string]operation{
		"ListVulnerabilities": listBy(func(ctx context.Context, c *mdecore.Client, p mdecore.Page) iter.Seq2[*mdecore.Vulnerability, error] {
			return c.ListVulnerabilities(ctx, mdecore.Query{Page: p})
		}),
		"ListVulnerabilitiesByMachineAndSoftware": listBy(
			func(ctx context.Context, c *mdecore.Client, p mdecore.Page) iter.Seq2[*mdecore.MachineVulnerability, error] {
				return c.ListVulnerabilitiesByMachineAndSoftware(ctx, mdecore.Query{Page: p})
			}),
		"GetVulnerability": oneOf(cveID, (*mdecore.Client).GetVulnerability).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.GetVulnerability(ctx, "machinesVulnerabilities")
			return err
		}),
		"ListVulnerabilityMachines":  listOf(cveID, (*mdecore.Client).ListVulnerabilityMachines),
		"ListMachineVulnerabilities": listOf(machineID, (*mdecore.Client).ListMachineVulnerabilities),
	}
}

func recommendationOperations() map[string]operation {
	return map[string]operation{
		"ListRecommendations": listBy(func(ctx context.Context, c *mdecore.Client, p mdecore.Page) iter.Seq2[*mdecore.Recommendation, error] {
			return c.ListRecommendations(ctx, mdecore.Query{Page: p})
		}),
		"GetRecommendation":                 oneOf(recommendationID, (*mdecore.Client).GetRecommendation),
		"ListRecommendationMachines":        listOf(recommendationID, (*mdecore.Client).ListRecommendationMachines),
		"ListRecommendationVulnerabilities": listOf(recommendationID, (*mdecore.Client).ListRecommendationVulnerabilities),
		"GetRecommendationSoftware":         oneOf(recommendationID, (*mdecore.Client).GetRecommendationSoftware),
		"ListMachineRecommendations":        listOf(machineID, (*mdecore.Client).ListMachineRecommendations),
	}
}

// exposureSamples are the types that the documented answers decode into; of a list, the type of its items.
func exposureSamples() map[string]any {
	return map[string]any{
		"list_vulnerabilities": new(mdecore.Vulnerability), "get_vulnerability": new(mdecore.Vulnerability),
		"list_machine_vulnerabilities": new(mdecore.Vulnerability), "list_software_vulnerabilities": new(mdecore.Vulnerability),
		"list_recommendation_vulnerabilities":          new(mdecore.Vulnerability),
		"list_vulnerabilities_by_machine_and_software": new(mdecore.MachineVulnerability),
		"list_vulnerability_machines":                  new(mdecore.MachineReference), "list_software_machines": new(mdecore.MachineReference),
		"list_recommendation_machines": new(mdecore.MachineReference), "list_remediation_task_machines": new(mdecore.MachineReference),
		"list_software": new(mdecore.Software), "get_software": new(mdecore.Software), "list_machine_software": new(mdecore.Software),
		"get_recommendation_software": new(mdecore.Software), "list_software_version_distribution": new(mdecore.VersionDistribution),
		"list_software_missing_kbs": new(mdecore.MissingKB), "list_machine_missing_kbs": new(mdecore.MissingKB),
		"list_recommendations": new(mdecore.Recommendation), "get_recommendation": new(mdecore.Recommendation),
		"list_machine_recommendations": new(mdecore.Recommendation),
		"list_remediation_tasks":       new(mdecore.RemediationTask), "get_remediation_task": new(mdecore.RemediationTask),
		"get_exposure_score": new(mdecore.Score), "list_exposure_score_by_machine_group": new(mdecore.Score), "get_device_secure_score": new(mdecore.Score),
	}
}

// exposureResources are the types of the documented resources.
func exposureResources() map[string]any {
	return map[string]any{
		"vulnerability": mdecore.Vulnerability{}, "machineVulnerability": mdecore.MachineVulnerability{}, "software": mdecore.Software{},
		"distribution": mdecore.VersionDistribution{}, "machineReference": mdecore.MachineReference{}, "missingKb": mdecore.MissingKB{},
		"recommendation": mdecore.Recommendation{}, "remediationTask": mdecore.RemediationTask{}, "score": mdecore.Score{},
	}
}

// exposureRequests is empty: these families only read.
func exposureRequests() map[string]any { return map[string]any{} }
