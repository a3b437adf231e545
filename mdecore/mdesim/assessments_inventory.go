package mdesim

import (
	"fmt"
	"strings"
	"time"
)

// assetCertificate is the assetCertificateAssessment resource.
type assetCertificate struct {
	asset
	Thumbprint            string            `json:"thumbprint"`
	Path                  string            `json:"path"`
	SignatureAlgorithm    string            `json:"signatureAlgorithm"`
	KeyLength             int               `json:"keyLength"`
	NotAfter              time.Time         `json:"notAfter"`
	NotBefore             time.Time         `json:"notBefore"`
	SubjectType           string            `json:"subjectType"`
	SerialNumber          string            `json:"serialNumber"`
	SubjectObject         map[string]string `json:"subjectObject"`
	IssuerObject          map[string]string `json:"issuerObject"`
	KeyUsageArray         []string          `json:"keyUsageArray"`
	ExtendedKeyUsageArray []string          `json:"extendedKeyUsageArray"`
	IsSelfSigned          bool              `json:"isSelfSigned"`
}

// authority is the tenant's own certificate authority.
const authority = "Contoso Root CA"

// certificateRows are the certificates of a device: the authority's, which is the
// same everywhere, the device's own, and on some a self-signed one with a short
// key.
func certificateRows(_ *Tenant, d *device) []any {
	v, ok := inventoryOf(d)
	if !ok {
		return nil
	}
	store := map[bool]string{true: `LocalMachine\%s\%s`, false: "/etc/ssl/%s/%s.pem"}[v.family == "client" || v.family == "server"]
	certificate := func(store, folder, key, subject, issuer string) assetCertificate {
		thumbprint := fmt.Sprintf("%016X%016X%08X", hash64(key), hash64(key+"/2"), uint32(hash64(key+"/3")))
		return assetCertificate{
			asset: assetOf(d), Thumbprint: thumbprint, Path: fmt.Sprintf(store, folder, thumbprint), SignatureAlgorithm: "sha256RSA", KeyLength: 2048,
			SerialNumber: fmt.Sprintf("%016X%016X", hash64(key+"/serial"), hash64(key)), SubjectType: "End Entity",
			SubjectObject: map[string]string{"CommonName": subject}, IssuerObject: map[string]string{"CommonName": issuer},
			KeyUsageArray: []string{"Digital Signature", "Key Encipherment"}, ExtendedKeyUsageArray: []string{"Server Authentication", "Client Authentication"},
			IsSelfSigned: subject == issuer,
		}
	}
	root := certificate(store, "Root", "certificate/"+authority, authority, authority)
	root.SubjectType, root.SignatureAlgorithm, root.KeyLength = "CA", "sha384RSA", 4096
	root.KeyUsageArray, root.ExtendedKeyUsageArray = []string{"Certificate Signing", "CRL Signing"}, nil
	root.NotBefore, root.NotAfter = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	// Certificates live a year from a day that differs between devices; some have ended before the device was last seen.
	dice := d.dice("certificate")
	own := certificate(store, "My", "certificate/"+d.ID, d.ComputerDNSName, authority)
	own.NotBefore = midnight(d.LastSeen).AddDate(0, 0, -int(dice%400))
	own.NotAfter = own.NotBefore.AddDate(1, 0, 0)
	out := []any{root, own}
	if dice>>32%8 == 0 {
		test := certificate(store, "My", "certificate/test/"+d.ID, "localhost", "localhost")
		test.SignatureAlgorithm, test.KeyLength = "sha1RSA", 1024
		test.NotBefore, test.NotAfter = own.NotBefore, own.NotBefore.AddDate(10, 0, 0)
		out = append(out, test)
	}
	return out
}

// midnight is the beginning of a time's day.
func midnight(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// assetHardware is the assetHardwareFirmware resource.
type assetHardware struct {
	asset
	ComponentType    string `json:"componentType"`
	Manufacturer     string `json:"manufacturer"`
	ComponentName    string `json:"componentName"`
	ComponentVersion string `json:"componentVersion"`
	AdditionalFields string `json:"additionalFields"`
}

// model is a computer that the tenant has bought.
type model struct {
	maker, name, board, processor string
	on                            string // families, with spaces between
	bios                          []string
}

func models() []model {
	return []model{
		{"lenovo", "thinkpad_t14_gen_4", "21HDCTO1WW", "intel(r)_core(tm)_i7-1355u", "client", []string{"1.14", "1.20", "1.22"}},
		{"dell", "latitude_7440", "0D8G7Y", "intel(r)_core(tm)_i5-1345u", "client", []string{"1.9.1", "1.17.0"}},
		{"hp", "elitebook_845_g10", "8B42", "amd_ryzen_7_pro_7840u", "client linux", []string{"01.03.05", "01.05.00"}},
		{"dell", "poweredge_r750", "06V45N", "intel(r)_xeon(r)_gold_6338", "server linux", []string{"1.10.2", "1.13.2"}},
		{"apple", "macbookpro18,3", "Mac-551B86E5744E2388", "apple_m1_pro", "macOS", []string{"11881.41.5"}},
	}
}

// hardwareRows are the components of a device: itself, its processor and its
// firmware.
func hardwareRows(_ *Tenant, d *device) []any {
	v, ok := inventoryOf(d)
	if !ok {
		return nil
	}
	var fitting []model
	for _, m := range models() {
		if runs(strings.Fields(m.on), v) {
			fitting = append(fitting, m)
		}
	}
	if len(fitting) == 0 {
		return nil // phones report no hardware
	}
	dice := d.dice("hardware")
	m := fitting[dice%uint64(len(fitting))]
	component := func(kind, maker, name, version, more string) any {
		return assetHardware{assetOf(d), kind, maker, name, version, more}
	}
	maker, _, _ := strings.Cut(strings.ReplaceAll(m.processor, "(", "_"), "_")
	return []any{
		component("Hardware", m.maker, m.name, "", fmt.Sprintf(`{"SystemSKU":%q,"BaseBoardManufacturer":%q,"DeviceFamily":%q}`, m.board, m.maker, v.family)),
		component("Processor", maker, m.processor, "", fmt.Sprintf(`{"Architecture":%q}`, d.OSArchitecture)),
		component("Bios", m.maker, m.name+"_firmware", m.bios[dice>>16%uint64(len(m.bios))], `{}`),
	}
}
