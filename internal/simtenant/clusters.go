package simtenant

import (
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// NameNode is the machine name of a node that the simulated tenant knows as the device mdesim.NameLinux.
const NameNode = "r01w001"

// clusters are the simulated Nexus clusters beside a tenant: by the same clock, with the tenant's two applications in the roles
// of docs/nexus.md.
func clusters(tenant *mdesim.Tenant) *nexussim.Azure {
	ids := map[string]string{}
	if found := tenant.Find(mdesim.NameLinux); len(found) == 1 {
		ids[NameNode] = found[0].ID
	}
	const provider = "Microsoft.NetworkCloud/"
	reads := []string{
		provider + "clusters/read", provider + "bareMetalMachines/read", provider + "locations/operationStatuses/read",
		"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
	}
	writes := []string{
		provider + "clusters/read", provider + "clusters/write", provider + "clusters/scanRuntime/action",
		provider + "bareMetalMachines/runDataExtractsRestricted/action",
	}
	return &nexussim.Azure{
		Clock: tenant.Clock, Log: tenant.Log, Control: tenant.Control, DeviceIDs: ids,
		OperationTime: tenant.ActionRunning, ScanTime: tenant.ActionRunning,
		Roles: map[string][]string{mdesim.DefaultReaderID: reads, mdesim.DefaultAppID: writes},
	}
}
