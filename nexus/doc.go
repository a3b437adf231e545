// Package nexus is a client of the calls with which Azure Operator Nexus clusters are protected by Microsoft Defender for
// Endpoint at run time: the enforcement level of a cluster, a scan of all its nodes, and the report of the agent on each.
//
// The calls are those of the resource provider Microsoft.NetworkCloud in Azure Resource Manager
// (https://learn.microsoft.com/azure/operator-nexus/howto-use-mde-runtime-protection), sent through the project's own
// pipeline. A call that changes something is sent once: only a 429 is answered by another send.
//
// A long operation is not waited for here. What starts one returns an [Accepted] with the operation's address, without
// host; [Client.OperationStatus] looks at it once, in this process or in another one after a restart.
//
// Clusters and nodes are read with the newest api-version that a subscription's service takes; what is changed is changed
// with the version that was read, and actions are begun with the oldest that has them. A 403 is never answered with another
// version.
//
// The result of an extract is streamed by [Client.DownloadResult] to a writer: by the signature in its address, without a
// token, or from the cluster's own container with a token for storage. Its address stays inside this package. What the
// result holds is read in package nexus/report.
//
// Nodes are read into [Node], which has room for a safe list of fields only: the management controller's address, user and
// MAC, certificates and secrets never leave this package.
package nexus
