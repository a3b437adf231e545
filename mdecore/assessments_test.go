package mdecore_test

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// all reads a sequence to its end.
func all[T any](t *testing.T, items iter.Seq2[*T, error]) (out []T) {
	t.Helper()
	for item, err := range items {
		require.NoError(t, err)
		out = append(out, *item)
	}
	return out
}

// exportClient is a client of a tenant without limits of its own.
func exportClient(t *testing.T, tenant *mdesim.Tenant) *mdecore.Client {
	t.Helper()
	return simulated(t, tenant, func(_ *azpipe.CredentialConfig, o *mdecore.Options) { o.Limit = &mdecore.Limit{} })
}

// filled counts the fields of a struct that are not zero.
func filled(v any) (n int) {
	value := reflect.Indirect(reflect.ValueOf(v))
	for i := range value.NumField() {
		if !value.Field(i).IsZero() {
			n++
		}
	}
	return n
}

// bothWays reads an export by pages and by files, and requires that they agree.
func bothWays[T any](t *testing.T, tenant *mdesim.Tenant,
	pages func(*mdecore.Client, context.Context, mdecore.ExportQuery) iter.Seq2[*T, error],
	files func(*mdecore.Client, context.Context, mdecore.ExportFilesOptions) (*mdecore.ExportFiles, error),
) []T {
	t.Helper()
	c := exportClient(t, tenant)
	rows := all(t, pages(c, t.Context(), mdecore.ExportQuery{PageSize: 50}))
	require.NotEmpty(t, rows)
	require.Equal(t, rows[:3], all(t, pages(c, t.Context(), mdecore.ExportQuery{Top: 3})))
	exported, err := files(c, t.Context(), mdecore.ExportFilesOptions{SasValidHours: 2})
	require.NoError(t, err)
	require.Greater(t, len(exported.ExportFiles), 1)
	require.False(t, exported.GeneratedTime.IsZero())
	require.Equal(t, rows, all(t, mdecore.ExportRows[T](t.Context(), c, exported, mdecore.DownloadOptions{})))
	for _, row := range rows[:3] {
		require.Greater(t, filled(row), 6, "%+v", row)
	}
	return rows
}

func TestExportsOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	type client = mdecore.Client
	tenant := &mdesim.Tenant{Devices: 60}
	bothWays(t, tenant, (*client).ExportSecureConfigAssessment, (*client).ExportSecureConfigAssessmentFiles)
	bothWays(t, tenant, (*client).ExportNonCPESoftwareInventoryAssessment, (*client).ExportNonCPESoftwareInventoryAssessmentFiles)
	bothWays(t, tenant, (*client).ExportBrowserExtensionsAssessment, (*client).ExportBrowserExtensionsAssessmentFiles)
	certificates := bothWays(t, tenant, (*client).ExportCertificateAssessment, (*client).ExportCertificateAssessmentFiles)
	require.JSONEq(t, `{"CommonName":"Contoso Root CA"}`, string(certificates[0].SubjectObject))
	bothWays(t, tenant, (*client).ExportBaselineComplianceAssessment, (*client).ExportBaselineComplianceAssessmentFiles)
	for _, h := range bothWays(t, tenant, (*client).ExportHardwareFirmwareAssessment, (*client).ExportHardwareFirmwareAssessmentFiles) {
		_, err := h.Additional()
		require.NoError(t, err)
	}
	software := bothWays(t, tenant, (*client).ExportSoftwareInventoryAssessment, (*client).ExportSoftwareInventoryAssessmentFiles)
	weaknesses := bothWays(t, tenant, (*client).ExportSoftwareVulnerabilitiesAssessment, (*client).ExportSoftwareVulnerabilitiesAssessmentFiles)
	sum := mdecore.Int(0)
	for _, s := range software {
		sum += s.NumberOfWeaknesses
	}
	for _, w := range weaknesses {
		if w.CVEID != "" {
			sum--
			require.Positive(t, w.CVSSScore)
		}
	}
	require.Zero(t, sum)
}

func TestChangesOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	c := exportClient(t, &mdesim.Tenant{})
	changes := all(t, c.ExportSoftwareVulnerabilitiesDelta(t.Context(), mdecore.VulnerabilityChangesQuery{
		SinceTime: time.Now().Add(-14 * 24 * time.Hour).Add(time.Minute), ExportQuery: mdecore.ExportQuery{PageSize: 500},
	}))
	seen := map[mdecore.VulnerabilityChange]int{}
	for _, change := range changes {
		seen[change.Status]++
		require.False(t, change.EventTimestamp.IsZero())
	}
	require.Len(t, seen, 3)
	require.Greater(t, len(changes), 500)
}

func TestAntivirusOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := exportClient(t, tenant)
	infos := all(t, c.ListDeviceAVInfo(t.Context(), mdecore.Query{}))
	require.Equal(t, 1, tenant.Requests()[mdesim.Request{Method: "GET", Path: "/api/deviceavinfo"}], "not 20 devices a call")
	require.Len(t, all(t, c.ListDeviceAVInfo(t.Context(), mdecore.Query{Page: mdecore.Page{Top: 30, Skip: 1}})), 30)
	passive := all(t, c.ListDeviceAVInfo(t.Context(), mdecore.Query{Filter: "avMode eq '1'"}))
	require.NotEmpty(t, passive)
	require.Equal(t, "Passive", passive[0].AVMode.Name())
	for _, ask := range []func(context.Context, mdecore.ExportFilesOptions) (*mdecore.ExportFiles, error){c.ExportDeviceAVHealthFiles, c.ExportInformationGatheringFiles} {
		files, err := ask(t.Context(), mdecore.ExportFilesOptions{})
		require.NoError(t, err)
		rows := all(t, mdecore.ExportRows[mdecore.AssetGatheredInfo](t.Context(), c, files, mdecore.DownloadOptions{}))
		require.Len(t, rows, len(infos))
		require.Contains(t, rows[0].DeviceGatheredInfo, "AvMode")
	}
}

func TestAntivirusIsListedBeyondTheLargestPage(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{PageSize: 100}
	c := exportClient(t, tenant)
	infos := all(t, c.ListDeviceAVInfo(t.Context(), mdecore.Query{}))
	ids := map[string]bool{}
	for _, info := range infos {
		ids[info.MachineID] = true
	}
	require.Len(t, ids, len(infos))
	require.Equal(t, 3, tenant.Requests()[mdesim.Request{Method: "GET", Path: "/api/deviceavinfo"}])
}

func TestBaselinesOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	c := exportClient(t, &mdesim.Tenant{})
	profiles := all(t, c.ListBaselineProfiles(t.Context(), mdecore.Query{Filter: "status eq true"}))
	require.Len(t, profiles, 2)
	require.Positive(t, profiles[0].TotalDevices)
	require.False(t, profiles[0].CreatedOnTimestampUTC.IsZero())
	configurations := all(t, c.ListBaselineConfigurations(t.Context(), mdecore.Query{Filter: "id eq '9.3.9'", Page: mdecore.Page{Top: 1}}))
	require.Len(t, configurations, 1)
	require.EqualValues(t, "CCE-35116-3", configurations[0].CCE)
	require.Equal(t, mdecore.Texts{"Equals '1'"}, configurations[0].RecommendedValue)
}

func TestPermissionsAreReadWhetherWrappedOrNot(t *testing.T) {
	t.Parallel()
	c := exportClient(t, &mdesim.Tenant{})
	wrapped := all(t, c.ListBrowserExtensionPermissions(t.Context(), mdecore.Query{}))
	require.Equal(t, "activeTab", wrapped[0].Key)
	require.Len(t, all(t, c.ListBrowserExtensionPermissions(t.Context(), mdecore.Query{Page: mdecore.Page{Top: 2}})), 2)
	for _, err := range c.ListBrowserExtensionPermissions(t.Context(), mdecore.Query{}) {
		require.NoError(t, err)
		break
	}
	for _, body := range []string{
		`{"value":[{"key":"a"},{"key":"b"},{"key":"c"}]}`, `{"value":[{"value":[{"key":"a"},{"key":"b"}]},{"value":[]},{"value":[{"key":"c"}]}]}`,
	} {
		c := newService(t, answer(200, body)).clientOf(t)
		got := all(t, c.ListBrowserExtensionPermissions(t.Context(), mdecore.Query{}))
		require.Equal(t, []mdecore.BrowserExtensionPermission{{Key: "a"}, {Key: "b"}, {Key: "c"}}, got)
		require.Len(t, all(t, c.ListBrowserExtensionPermissions(t.Context(), mdecore.Query{Page: mdecore.Page{Top: 1}})), 1)
	}
}

func TestExportQueriesAreWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[],"exportFiles":[]}`))
	c, ctx := s.clientOf(t), t.Context()
	since := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	require.NoError(t, drain(c.ExportSoftwareInventoryAssessment(ctx, mdecore.ExportQuery{})))
	require.NoError(t, drain(c.ExportSoftwareInventoryAssessment(ctx, mdecore.ExportQuery{PageSize: 200_000, Top: 7})))
	require.NoError(t, drain(c.ExportSoftwareInventoryAssessment(ctx, mdecore.ExportQuery{Top: 200_001})))
	require.NoError(t, drain(c.ExportSoftwareVulnerabilitiesDelta(ctx, mdecore.VulnerabilityChangesQuery{SinceTime: since.In(time.FixedZone("", 7200))})))
	require.NoError(t, drain(c.ListDeviceAVInfo(ctx, mdecore.Query{})))
	_, err := c.ExportCertificateAssessmentFiles(ctx, mdecore.ExportFilesOptions{SasValidHours: 24})
	require.NoError(t, err)
	_, err = c.ExportCertificateAssessmentFiles(ctx, mdecore.ExportFilesOptions{})
	require.NoError(t, err)
	var got []string
	for _, call := range s.received() {
		got = append(got, call.query)
	}
	require.Equal(t, []string{
		"", "%24top=7&pageSize=200000", "", "sinceTime=" + url.QueryEscape(since.UTC().Format("2006-01-02T15:04:05.000Z")), "%24top=10000", "sasValidHours=24", "",
	}, got)
}

// An export that the service says nothing about must not look like a tenant without weaknesses.
func TestAnAnswerWithoutFilesIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"exportFiles":null}`, `{"value":[]}`} {
		_, err := newService(t, answer(200, body)).clientOf(t).ExportSoftwareInventoryAssessmentFiles(t.Context(), mdecore.ExportFilesOptions{})
		require.ErrorContains(t, err, "exportFiles", body)
	}
	files, err := newService(t, answer(200, `{"exportFiles":[]}`)).clientOf(t).ExportSoftwareInventoryAssessmentFiles(t.Context(), mdecore.ExportFilesOptions{})
	require.NoError(t, err)
	require.Empty(t, files.ExportFiles)
}

func TestErrorsOfExportsHoldNoSignature(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"exportFiles":["https://x/a?sv=1&sig=hunter2hunter2",{}]}`))
	_, err := s.clientOf(t).ExportSoftwareInventoryAssessmentFiles(t.Context(), mdecore.ExportFilesOptions{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	var failed *mdecore.Error
	require.ErrorAs(t, err, &failed)
	require.NotContains(t, string(failed.Body), "hunter2")
}

// The names of the pages' tables differ from those of their samples.
func TestBothSpellingsOfAssessmentsAreRead(t *testing.T) {
	t.Parallel()
	decode := func(body string, into any) { require.NoError(t, json.Unmarshal([]byte(body), into)) }
	var sample, table mdecore.AssetCertificateAssessment
	decode(`{"deviceId":"d","keyLength":2048,"notBefore":"2026-01-02T00:00:00Z","notAfter":"2027-01-02T00:00:00Z","subjectObject":{"CN":"a"},
		"issuerObject":{"CN":"b"},"keyUsageArray":["Digital Signature"],"extendedKeyUsageArray":[{"oid":"1.3"}]}`, &sample)
	decode(`{"DeviceId":"d","KeySize":"2048","IssueDate":"2026-01-02","ExpirationDate":"2027-01-02","IssuedTo":{"CN":"a"},
		"IssuedBy":{"CN":"b"},"KeyUsage":"Digital Signature","ExtendedKeyUsage":"{\"oid\":\"1.3\"}"}`, &table)
	require.Equal(t, sample, table)
	require.Equal(t, mdecore.Texts{`{"oid":"1.3"}`}, sample.ExtendedKeyUsageArray)

	var configuration mdecore.AssetConfiguration
	decode(`{"DeviceId":"d","ConfigurationImpact":"9","RbacGroupId":86,"IsCompliant":true,"ConfigurationCategory":"Something new","DeviceName":null}`, &configuration)
	require.Equal(t, mdecore.AssetConfiguration{DeviceID: "d", ConfigurationImpact: 9, RbacGroupID: "86", IsCompliant: true, ConfigurationCategory: "Something new"}, configuration)

	var extension mdecore.AssetBrowserExtension
	decode(`{"deviceId":"d","Permissions":["tabs",{"Id":"cookies","IsRequired":true,"Risk":"High"},null]}`, &extension)
	require.Equal(t, []mdecore.ExtensionPermission{{ID: "tabs"}, {ID: "cookies", IsRequired: true, Risk: mdecore.ExtensionRiskHigh}, {}}, extension.Permissions)
	require.Error(t, json.Unmarshal([]byte(`{"Permissions":[{"Id":5}]}`), &extension))

	var baseline mdecore.AssetBaselineAssessment
	decode(`{"recommendedValue":"one, two","currentValue":null,"source":["a",5]}`, &baseline)
	require.Equal(t, mdecore.Texts{"one, two"}, baseline.RecommendedValue)
	require.Equal(t, mdecore.Texts{"a", "5"}, baseline.Source)

	var profile mdecore.BaselineProfile
	decode(`{"createdOnTimeOffset":"2026-01-02T00:00:00Z","lastUpdateTimeOffset":"2026-01-03T00:00:00Z"}`, &profile)
	require.Equal(t, 3, profile.LastUpdateTimestampUTC.Day())
	require.Equal(t, 2, profile.CreatedOnTimestampUTC.Day())

	var info mdecore.DeviceAVInfo
	decode(`{"avMode":4,"avIsEngineUpToDate":"Unknown"}`, &info)
	require.Equal(t, mdecore.AVEDRBlocked, info.AVMode)
	for mode, name := range map[mdecore.AVMode]string{"": "Other", "0": "Active", "1": "Passive", "2": "Disabled", "3": "Other", "4": "EDRBlocked", "5": "PassiveAudit", "9": "9"} {
		require.Equal(t, name, mode.Name())
	}
	_, err := (&mdecore.AssetHardwareFirmware{AdditionalFields: "nonsense"}).Additional()
	require.ErrorContains(t, err, "additionalFields")
	none, err := (&mdecore.AssetHardwareFirmware{}).Additional()
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestReadersWithoutTheRoleAreRefused(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{Apps: []mdesim.App{{ID: mdesim.DefaultAppID, Secret: mdesim.DefaultAppSecret, Roles: []string{"Machine.Read.All"}}}}
	c := exportClient(t, tenant)
	require.ErrorContains(t, drain(c.ExportSoftwareInventoryAssessment(t.Context(), mdecore.ExportQuery{})), "Software.Read.All")
	require.NoError(t, drain(c.ListDeviceAVInfo(t.Context(), mdecore.Query{})))
}
