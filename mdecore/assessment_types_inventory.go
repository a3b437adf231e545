package mdecore

import (
	"encoding/json"
	"fmt"
)

// ExtensionRisk is the danger of a browser extension or of one of its permissions. Unknown values are kept.
type ExtensionRisk string

// The risks of browser extensions.
const (
	ExtensionRiskNone     ExtensionRisk = "None"
	ExtensionRiskLow      ExtensionRisk = "Low"
	ExtensionRiskMedium   ExtensionRisk = "Medium"
	ExtensionRiskHigh     ExtensionRisk = "High"
	ExtensionRiskCritical ExtensionRisk = "Critical"
)

// AssetBrowserExtension is the assetBrowserExtension resource (get-assessment-browser-extensions.md): one extension in one
// browser of one device. Its fields begin with capitals on the wire.
type AssetBrowserExtension struct {
	DeviceID             string                `json:"DeviceId"`
	DeviceName           string                `json:"DeviceName"`
	RbacGroupID          ID                    `json:"RbacGroupId"`
	RbacGroupName        string                `json:"RbacGroupName"`
	InstallationTime     Time                  `json:"InstallationTime"`
	BrowserName          string                `json:"BrowserName"`
	ExtensionID          string                `json:"ExtensionId"`
	ExtensionName        string                `json:"ExtensionName"`
	ExtensionDescription string                `json:"ExtensionDescription"`
	ExtensionVersion     string                `json:"ExtensionVersion"`
	ExtensionRisk        ExtensionRisk         `json:"ExtensionRisk"`
	IsActivated          bool                  `json:"IsActivated"`
	Permissions          []ExtensionPermission `json:"Permissions"`
}

// ExtensionPermission is what a browser extension may do.
type ExtensionPermission struct {
	// ID is the key of ListBrowserExtensionPermissions, or a pattern of addresses.
	ID         string        `json:"Id"`
	IsRequired bool          `json:"IsRequired"`
	Risk       ExtensionRisk `json:"Risk"`
}

// UnmarshalJSON implements json.Unmarshaler. The page's table has plain strings where its sample has objects.
func (p *ExtensionPermission) UnmarshalJSON(data []byte) error {
	if text, ok, err := jsonText(data); err == nil {
		*p = ExtensionPermission{}
		if ok {
			p.ID = text
		}
		return nil
	}
	type plain ExtensionPermission
	return json.Unmarshal(data, (*plain)(p))
}

// BrowserExtensionPermission is the browserExtensionPermission resource (get-browser-extensions-permission-info.md): what
// a permission key means.
type BrowserExtensionPermission struct {
	Key            string `json:"key"`
	PermissionName string `json:"permissionName"`
	Description    string `json:"description"`
}

// AssetCertificateAssessment is the assetCertificateAssessment resource (export-certificate-inventory-assessment.md): one
// certificate in a store of one device. The names are those of the page's sample; those of its table are read as well.
type AssetCertificateAssessment struct {
	DeviceID           string `json:"deviceId"`
	DeviceName         string `json:"deviceName"`
	RbacGroupID        ID     `json:"rbacGroupId"`
	RbacGroupName      string `json:"rbacGroupName"`
	Thumbprint         string `json:"thumbprint"`
	Path               string `json:"path"`
	SignatureAlgorithm string `json:"signatureAlgorithm"`
	// KeyLength is in bits; 0 when the service does not know it.
	KeyLength    Int    `json:"keyLength"`
	NotBefore    Time   `json:"notBefore"`
	NotAfter     Time   `json:"notAfter"`
	SubjectType  string `json:"subjectType"`
	SerialNumber string `json:"serialNumber"`
	// SubjectObject and IssuerObject are kept as they come, because no page says what is in them.
	SubjectObject         json.RawMessage `json:"subjectObject"`
	IssuerObject          json.RawMessage `json:"issuerObject"`
	KeyUsageArray         Texts           `json:"keyUsageArray"`
	ExtendedKeyUsageArray Texts           `json:"extendedKeyUsageArray"`
	IsSelfSigned          bool            `json:"isSelfSigned"`
}

// UnmarshalJSON implements json.Unmarshaler: the sample's names, or the table's for what they do not say.
func (a *AssetCertificateAssessment) UnmarshalJSON(data []byte) error {
	type plain AssetCertificateAssessment
	var table struct {
		KeySize          Int             `json:"KeySize"`
		ExpirationDate   Time            `json:"ExpirationDate"`
		IssueDate        Time            `json:"IssueDate"`
		IssuedTo         json.RawMessage `json:"IssuedTo"`
		IssuedBy         json.RawMessage `json:"IssuedBy"`
		KeyUsage         Texts           `json:"KeyUsage"`
		ExtendedKeyUsage Texts           `json:"ExtendedKeyUsage"`
	}
	*a = AssetCertificateAssessment{}
	if err := json.Unmarshal(data, (*plain)(a)); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &table); err != nil {
		return err
	}
	if a.KeyLength == 0 {
		a.KeyLength = table.KeySize
	}
	if a.NotBefore.IsZero() {
		a.NotBefore = table.IssueDate
	}
	if a.NotAfter.IsZero() {
		a.NotAfter = table.ExpirationDate
	}
	a.SubjectObject, a.IssuerObject = given(a.SubjectObject, table.IssuedTo), given(a.IssuerObject, table.IssuedBy)
	if a.KeyUsageArray == nil {
		a.KeyUsageArray = table.KeyUsage
	}
	if a.ExtendedKeyUsageArray == nil {
		a.ExtendedKeyUsageArray = table.ExtendedKeyUsage
	}
	return nil
}

// given is the first value that is neither missing nor null, or nothing.
func given(values ...json.RawMessage) json.RawMessage {
	for _, v := range values {
		if len(v) > 0 && string(v) != "null" {
			return v
		}
	}
	return nil
}

// AssetHardwareFirmware is the assetHardwareFirmware resource (export-firmware-hardware-assessment.md): one component of
// one device.
type AssetHardwareFirmware struct {
	DeviceID         string `json:"deviceId"`
	DeviceName       string `json:"deviceName"`
	RbacGroupID      ID     `json:"rbacGroupId"`
	RbacGroupName    string `json:"rbacGroupName"`
	ComponentType    string `json:"componentType"`
	Manufacturer     string `json:"manufacturer"`
	ComponentName    string `json:"componentName"`
	ComponentVersion string `json:"componentVersion"`
	// AdditionalFields is a JSON object written as a string: see Additional.
	AdditionalFields string `json:"additionalFields"`
}

// Additional reads AdditionalFields; nothing when there are none.
func (a *AssetHardwareFirmware) Additional() (map[string]any, error) {
	if a.AdditionalFields == "" {
		return map[string]any{}, nil
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(a.AdditionalFields), &fields); err != nil {
		return nil, fmt.Errorf("additionalFields of %q is not a JSON object: %w", shorten(a.ComponentName), err)
	}
	return fields, nil
}

// AssetGatheredInfo is one row of the files of ExportInformationGatheringFiles and ExportDeviceAVHealthFiles: what was
// gathered about one device. The pages name the properties of antivirus health only for the other way of asking
// (DeviceAVInfo), so what was gathered is kept by name.
type AssetGatheredInfo struct {
	DeviceID           string         `json:"DeviceId"`
	DeviceName         string         `json:"DeviceName"`
	RbacGroupID        ID             `json:"RbacGroupId"`
	RbacGroupName      string         `json:"RbacGroupName"`
	DeviceGatheredInfo map[string]any `json:"DeviceGatheredInfo"`
}
