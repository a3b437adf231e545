package mdecore

import (
	"context"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// separator stands between the parts of a software id and of a recommendation id.
const separator = "-_-"

// softwareArg is a software id, such as microsoft-_-edge.
func softwareArg(id string) arg {
	return arg{id, checkCompound("software id", id, "it must be vendor and product, like microsoft-_-edge")}
}

// checkCompound refuses an id that is not made of parts, or that could reach another address. Names of products have
// more characters than other ids, such as the + of notepad++; what an address cannot hold is sent escaped.
func checkCompound(field, id, form string) error {
	switch {
	case id == "":
		return invalid(field, id, "it is empty")
	case len(id) > maxIDLength:
		return invalid(field, id, "it is longer than 200 characters")
	case strings.Contains(id, ".."), !utf8.ValidString(id):
		return invalid(field, id, "it must be valid UTF-8 without \"..\"")
	}
	for _, r := range id {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`/\%?#;'"<>`, r) {
			return invalid(field, id, "it holds a character that no such id has")
		}
	}
	for part := range strings.SplitSeq(id, separator) {
		if part == "" || part == id {
			return invalid(field, id, form)
		}
	}
	return nil
}

// ListSoftware iterates over the software inventory of the tenant. It can be filtered on id, name and vendor.
// Documentation page: get-software.md.
//
//mde:op GET /api/Software roles=Software.Read.All
func (c *Client) ListSoftware(ctx context.Context, q Query) iter.Seq2[*Software, error] {
	return list[Software](ctx, c, q.call(call{op: "ListSoftware"}), q.Page)
}

// GetSoftware returns one product of the inventory. Documentation page: get-software-by-id.md.
//
//mde:op GET /api/Software/{software_id} roles=Software.Read.All
func (c *Client) GetSoftware(ctx context.Context, softwareID string) (*Software, error) {
	return named(ctx, c, call{op: "GetSoftware", args: args{softwareArg(softwareID)}}, "software", func(s *Software) string { return s.ID })
}

// ListSoftwareVersionDistribution iterates over the installed versions of a product. Documentation page:
// get-software-ver-distribution.md.
//
//mde:op GET /api/Software/{software_id}/distributions roles=Software.Read.All
func (c *Client) ListSoftwareVersionDistribution(ctx context.Context, softwareID string) iter.Seq2[*VersionDistribution, error] {
	return list[VersionDistribution](ctx, c, call{op: "ListSoftwareVersionDistribution", args: args{softwareArg(softwareID)}}, Page{})
}

// ListSoftwareMachines iterates over the machines that have a product, in whatever version. Documentation page:
// get-machines-by-software.md.
//
//mde:op GET /api/Software/{software_id}/machineReferences roles=Software.Read.All
func (c *Client) ListSoftwareMachines(ctx context.Context, softwareID string) iter.Seq2[*MachineReference, error] {
	return list[MachineReference](ctx, c, call{op: "ListSoftwareMachines", args: args{softwareArg(softwareID)}}, Page{})
}

// ListSoftwareVulnerabilities iterates over the vulnerabilities of the installed versions of a product. Documentation
// page: get-vuln-by-software.md.
//
//mde:op GET /api/Software/{software_id}/vulnerabilities roles=Vulnerability.Read.All
func (c *Client) ListSoftwareVulnerabilities(ctx context.Context, softwareID string) iter.Seq2[*Vulnerability, error] {
	return list[Vulnerability](ctx, c, call{op: "ListSoftwareVulnerabilities", args: args{softwareArg(softwareID)}}, Page{})
}

// ListSoftwareMissingKBs iterates over the Windows updates that a product lacks somewhere. Documentation page:
// get-missing-kbs-software.md.
//
//mde:op GET /api/Software/{software_id}/getmissingkbs roles=Software.Read.All
func (c *Client) ListSoftwareMissingKBs(ctx context.Context, softwareID string) iter.Seq2[*MissingKB, error] {
	return list[MissingKB](ctx, c, call{op: "ListSoftwareMissingKBs", args: args{softwareArg(softwareID)}}, Page{})
}

// ListMachineSoftware iterates over the software of a machine. The numbers of each product are those of the whole
// tenant. Documentation page: get-installed-software.md.
//
//mde:op GET /api/machines/{machine_id}/software roles=Software.Read.All
func (c *Client) ListMachineSoftware(ctx context.Context, machineID string) iter.Seq2[*Software, error] {
	return list[Software](ctx, c, call{op: "ListMachineSoftware", args: args{machineArg(machineID)}}, Page{})
}

// ListMachineMissingKBs iterates over the Windows updates that a machine lacks. Documentation page:
// get-missing-kbs-machine.md.
//
//mde:op GET /api/machines/{machine_id}/getmissingkbs roles=Software.Read.All
func (c *Client) ListMachineMissingKBs(ctx context.Context, machineID string) iter.Seq2[*MissingKB, error] {
	return list[MissingKB](ctx, c, call{op: "ListMachineMissingKBs", args: args{machineArg(machineID)}}, Page{})
}
