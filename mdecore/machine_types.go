package mdecore

import "strings"

// HealthStatus is the state of a machine's sensor. Unknown values are kept.
type HealthStatus string

// The states of a sensor.
const (
	HealthActive                            HealthStatus = "Active"
	HealthInactive                          HealthStatus = "Inactive"
	HealthImpairedCommunication             HealthStatus = "ImpairedCommunication"
	HealthNoSensorData                      HealthStatus = "NoSensorData"
	HealthNoSensorDataImpairedCommunication HealthStatus = "NoSensorDataImpairedCommunication"
	HealthUnknown                           HealthStatus = "Unknown"
)

// OnboardingStatus says whether a machine is managed by Defender. Unknown values are kept. The API's spelling of the
// first letter varies: compare with strings.EqualFold, or use Machine.Onboarded.
type OnboardingStatus string

// The onboarding states of a machine.
const (
	OnboardingOnboarded        OnboardingStatus = "onboarded"
	OnboardingCanBeOnboarded   OnboardingStatus = "CanBeOnboarded"
	OnboardingUnsupported      OnboardingStatus = "Unsupported"
	OnboardingInsufficientInfo OnboardingStatus = "InsufficientInfo"
)

// Level is the scale of risk scores and exposure levels. Unknown values are kept.
type Level string

// The levels of risk and exposure; exposure has no Informational.
const (
	LevelNone          Level = "None"
	LevelInformational Level = "Informational"
	LevelLow           Level = "Low"
	LevelMedium        Level = "Medium"
	LevelHigh          Level = "High"
)

// DeviceValue is the worth that the tenant has given a machine. Unknown values are kept.
type DeviceValue string

// The values of a machine.
const (
	DeviceValueNormal DeviceValue = "Normal"
	DeviceValueLow    DeviceValue = "Low"
	DeviceValueHigh   DeviceValue = "High"
)

// OSArchitecture is the width of a machine's operating system. Unknown values are kept: exports write e.g. x64.
type OSArchitecture string

// The documented architectures.
const (
	OSArchitecture32Bit OSArchitecture = "32-bit"
	OSArchitecture64Bit OSArchitecture = "64-bit"
)

// Machine is the machine resource (machine.md): a device that Defender knows.
type Machine struct {
	// ID is 40 hexadecimal digits.
	ID string `json:"id"`
	// ComputerDNSName is the fully qualified name. Several machines can have the same.
	ComputerDNSName string `json:"computerDnsName"`
	FirstSeen       Time   `json:"firstSeen"`
	// LastSeen is the last full report, about once a day: not the portal's "last seen".
	LastSeen              Time             `json:"lastSeen"`
	OSPlatform            string           `json:"osPlatform"`
	OSProcessor           string           `json:"osProcessor"`
	OSArchitecture        OSArchitecture   `json:"osArchitecture"`
	Version               string           `json:"version"`
	OSBuild               Int              `json:"osBuild"`
	OnboardingStatus      OnboardingStatus `json:"onboardingStatus"`
	HealthStatus          HealthStatus     `json:"healthStatus"`
	LastIPAddress         string           `json:"lastIpAddress"`
	LastExternalIPAddress string           `json:"lastExternalIpAddress"`
	RbacGroupID           ID               `json:"rbacGroupId"`
	RbacGroupName         string           `json:"rbacGroupName"`
	RiskScore             Level            `json:"riskScore"`
	ExposureLevel         Level            `json:"exposureLevel"`
	DeviceValue           DeviceValue      `json:"deviceValue"`
	IsAadJoined           bool             `json:"isAadJoined"`
	AadDeviceID           string           `json:"aadDeviceId"`
	MachineTags           []string         `json:"machineTags"`
	IPAddresses           []IPAddress      `json:"ipAddresses"`
}

// IPAddress is one network interface of a machine.
type IPAddress struct {
	IPAddress         string `json:"ipAddress"`
	MacAddress        string `json:"macAddress"`
	OperationalStatus string `json:"operationalStatus"`
}

// Onboarded reports whether the service says that it manages the machine. An answer without the field counts as no.
func (m *Machine) Onboarded() bool {
	return strings.EqualFold(string(m.OnboardingStatus), string(OnboardingOnboarded))
}
