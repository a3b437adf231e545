package nexus

// Cloud says where Azure Resource Manager and the storage of results are. Clouds compare with ==.
type Cloud struct {
	// Name is for people: public, government, china or custom.
	Name string
	// Endpoint is Azure Resource Manager's address, e.g. https://management.azure.com.
	Endpoint string
	// Scope is what its tokens are asked for; the audience ends in a slash, so that the scope has two.
	Scope string
	// StorageScope is what tokens for a customer's container are asked for.
	StorageScope string
	// Storage is the domain below which results may lie, e.g. blob.core.windows.net. With a loopback Endpoint results may lie
	// on any loopback address, and nowhere else.
	Storage string
}

const storageScope = "https://storage.azure.com/.default"

// Public is the worldwide cloud.
func Public() Cloud {
	return Cloud{"public", "https://management.azure.com", "https://management.core.windows.net//.default", storageScope, "blob.core.windows.net"}
}

// Government is the cloud of the United States government.
func Government() Cloud {
	return Cloud{"government", "https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net//.default", storageScope, "blob.core.usgovcloudapi.net"}
}

// China is the cloud in China.
func China() Cloud {
	return Cloud{"china", "https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn//.default", storageScope, "blob.core.chinacloudapi.cn"}
}

// Custom is Resource Manager at another address, such as a simulator; its tokens are the public cloud's.
func Custom(endpoint string) Cloud {
	cloud := Public()
	cloud.Name, cloud.Endpoint = "custom", endpoint
	return cloud
}
