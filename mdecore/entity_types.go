package mdecore

// File is the file resource (files.md): what Defender knows about a file, worldwide. Names in it were chosen by whoever
// made the file.
type File struct {
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
	// MD5 is filled by ListAlertFiles.
	MD5                 string `json:"md5"`
	GlobalPrevalence    Int    `json:"globalPrevalence"`
	GlobalFirstObserved Time   `json:"globalFirstObserved"`
	GlobalLastObserved  Time   `json:"globalLastObserved"`
	// Size is in bytes.
	Size            Int    `json:"size"`
	FileType        string `json:"fileType"`
	IsPeFile        bool   `json:"isPeFile"`
	FilePublisher   string `json:"filePublisher"`
	FileProductName string `json:"fileProductName"`
	Signer          string `json:"signer"`
	Issuer          string `json:"issuer"`
	// SignerHash is the hash of the signing certificate.
	SignerHash         string `json:"signerHash"`
	IsValidCertificate bool   `json:"isValidCertificate"`
	// DeterminationType is the service's judgement, e.g. Malware, Pua, Clean or Unknown.
	DeterminationType string `json:"determinationType"`
	// DeterminationValue is the name of the threat, if there is one.
	DeterminationValue string `json:"determinationValue"`
}

// FileStats is the InOrgFileStats resource (get-file-statistics.md): how common a file is in the organisation during the
// look-back period, and worldwide.
type FileStats struct {
	SHA1                   string `json:"sha1"`
	OrganizationPrevalence Int    `json:"organizationPrevalence"`
	OrgFirstSeen           Time   `json:"orgFirstSeen"`
	OrgLastSeen            Time   `json:"orgLastSeen"`
	// GloballyPrevalence is spelled as the API spells it.
	GloballyPrevalence  Int      `json:"globallyPrevalence"`
	GlobalFirstObserved Time     `json:"globalFirstObserved"`
	GlobalLastObserved  Time     `json:"globalLastObserved"`
	TopFileNames        []string `json:"topFileNames"`
}

// IP is an address that an alert is about (get-alert-related-ip-info.md).
type IP struct {
	// ID is the address itself.
	ID string `json:"id"`
}

// IPStats is the InOrgIPStats resource (get-ip-statistics.md). OrganizationPrevalence counts the machines that connected
// to the address during the look-back period.
type IPStats struct {
	IPAddress              string `json:"ipAddress"`
	OrganizationPrevalence Int    `json:"organizationPrevalence"`
	OrgFirstSeen           Time   `json:"orgFirstSeen"`
	OrgLastSeen            Time   `json:"orgLastSeen"`
}

// Domain is a host name that an alert is about (get-alert-related-domain-info.md).
type Domain struct {
	Host string `json:"host"`
}

// DomainStats is the InOrgDomainStats resource (get-domain-statistics.md), about the look-back period.
type DomainStats struct {
	Host                   string `json:"host"`
	OrganizationPrevalence Int    `json:"organizationPrevalence"`
	OrgFirstSeen           Time   `json:"orgFirstSeen"`
	OrgLastSeen            Time   `json:"orgLastSeen"`
}

// User is the user resource (user.md): an account that was seen on machines. The users of a machine come with fewer
// properties than the user of an alert.
type User struct {
	// ID is the domain, a backslash and the account name.
	ID            string `json:"id"`
	AccountName   string `json:"accountName"`
	AccountDomain string `json:"accountDomain"`
	AccountSID    string `json:"accountSid"`
	FirstSeen     Time   `json:"firstSeen"`
	LastSeen      Time   `json:"lastSeen"`
	// MostPrevalentMachineID and LeastPrevalentMachineID are the machines that the account uses most and least.
	MostPrevalentMachineID  string `json:"mostPrevalentMachineId"`
	LeastPrevalentMachineID string `json:"leastPrevalentMachineId"`
	// LogonTypes is one text, e.g. "Interactive" or "Network".
	LogonTypes         string `json:"logonTypes"`
	LogOnMachinesCount Int    `json:"logOnMachinesCount"`
	IsDomainAdmin      bool   `json:"isDomainAdmin"`
	IsOnlyNetworkUser  bool   `json:"isOnlyNetworkUser"`
}
