package mdecore

import (
	"context"
	"iter"
	"regexp"
	"sync"
)

// cvePattern is the form of a CVE id, and of the ids that Defender gives what has no CVE id yet.
var cvePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(CVE|TVM)-[0-9]{4}-[0-9]{4,}$`) })

// cveArg is the id of a vulnerability.
func cveArg(id string) arg {
	if err := checkID("CVE id", id); err != nil {
		return arg{id, err}
	}
	if !cvePattern().MatchString(id) {
		return arg{id, invalid("CVE id", id, "it must look like CVE-2024-12345")}
	}
	return arg{value: id}
}

// ListVulnerabilities iterates over the vulnerabilities that affect the tenant. They can be filtered on id, name,
// description, cvssV3, publishedOn, severity and updatedOn. Documentation page: get-all-vulnerabilities.md.
//
//mde:op GET /api/vulnerabilities roles=Vulnerability.Read.All
func (c *Client) ListVulnerabilities(ctx context.Context, q Query) iter.Seq2[*Vulnerability, error] {
	return list[Vulnerability](ctx, c, q.call(call{op: "ListVulnerabilities"}), q.Page)
}

// ListVulnerabilitiesByMachineAndSoftware iterates over every vulnerability of every product on every machine. There
// can be millions. They can be filtered on id, cveId, machineId, fixingKbId, productName, productVersion, severity and
// productVendor. Documentation page: get-all-vulnerabilities-by-machines.md.
//
//mde:op GET /api/vulnerabilities/machinesVulnerabilities roles=Vulnerability.Read.All
func (c *Client) ListVulnerabilitiesByMachineAndSoftware(ctx context.Context, q Query) iter.Seq2[*MachineVulnerability, error] {
	return list[MachineVulnerability](ctx, c, q.call(call{op: "ListVulnerabilitiesByMachineAndSoftware"}), q.Page)
}

// GetVulnerability returns one vulnerability by its CVE id. Documentation page: get-vulnerability-by-id.md.
//
//mde:op GET /api/vulnerabilities/{cve_id} roles=Vulnerability.Read.All
func (c *Client) GetVulnerability(ctx context.Context, cveID string) (*Vulnerability, error) {
	return named(ctx, c, call{op: "GetVulnerability", args: args{cveArg(cveID)}}, "vulnerability", func(v *Vulnerability) string { return v.ID })
}

// ListVulnerabilityMachines iterates over the machines that have a vulnerability. Documentation page:
// get-machines-by-vulnerability.md.
//
//mde:op GET /api/vulnerabilities/{cve_id}/machineReferences roles=Vulnerability.Read.All
func (c *Client) ListVulnerabilityMachines(ctx context.Context, cveID string) iter.Seq2[*MachineReference, error] {
	return list[MachineReference](ctx, c, call{op: "ListVulnerabilityMachines", args: args{cveArg(cveID)}}, Page{})
}

// ListMachineVulnerabilities iterates over the vulnerabilities of a machine. Documentation page:
// get-discovered-vulnerabilities.md.
//
//mde:op GET /api/machines/{machine_id}/vulnerabilities roles=Vulnerability.Read.All
func (c *Client) ListMachineVulnerabilities(ctx context.Context, machineID string) iter.Seq2[*Vulnerability, error] {
	return list[Vulnerability](ctx, c, call{op: "ListMachineVulnerabilities", args: args{machineArg(machineID)}}, Page{})
}
