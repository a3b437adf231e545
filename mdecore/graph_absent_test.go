package mdecore_test

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	table "github.com/mde-ops/mde-ops/mdecore/operations"
)

func TestACustomCloudOfAnotherAuthorityHasNoGraph(t *testing.T) {
	t.Parallel()
	for authority, public := range map[string]bool{
		"": true, "https://login.microsoftonline.com": true, "https://LOGIN.microsoftonline.com/": true,
		"https://login.microsoftonline.us": false, "https://sts.example.com": false,
	} {
		cloud := mdecore.Custom("https://api.example.com", authority, "s/.default")
		if public {
			require.Equal(t, "https://graph.microsoft.com https://graph.microsoft.com/.default", cloud.Graph+" "+cloud.GraphScope, authority)
		} else {
			require.Empty(t, cloud.Graph+cloud.GraphScope, authority)
		}
		_, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: cloud})
		require.NoError(t, err)
	}
}

func TestWithoutGraphNoOperationOfGraphIsSent(t *testing.T) {
	t.Parallel()
	s := newService(t, asAsked)
	c := s.clientOf(t, func(o *mdecore.Options) { o.Cloud.Graph, o.Cloud.GraphScope = "", "" })
	tried := operations(t)
	for _, row := range table.All() {
		if !row.Graph {
			continue
		}
		err := tried[row.Client].good(t.Context(), c)
		var invalid *mdecore.InvalidError
		require.ErrorAs(t, err, &invalid, row.Client)
		require.ErrorContains(t, err, `the cloud "custom" has none: set Cloud.Graph`)
		require.True(t, mdecore.NotSent(err))
	}
	require.Empty(t, s.received())
	require.NoError(t, errorOf(c.GetMachine(t.Context(), machineID)), "the rest of the API needs no Graph")
}

func errorOf[T any](_ *T, err error) error { return err }

func TestGraphWithoutAScopeIsAskedWithItsOwn(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[]}`))
	cred := &scopes{}
	cloud := mdecore.Custom(s.URL, "", "")
	cloud.Graph, cloud.GraphScope = s.URL+"/", ""
	c, err := mdecore.New(cred, mdecore.Options{Cloud: cloud})
	require.NoError(t, err)
	require.NoError(t, drain(c.ListAlertsV2(t.Context(), mdecore.Query{})))
	require.Equal(t, []string{s.URL + "/.default"}, cred.asked)
}

// scopes is a credential that keeps what it was asked for.
type scopes struct {
	fakeCred
	asked []string
}

func (s *scopes) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.asked = append(s.asked, opts.Scopes...)
	return s.fakeCred.GetToken(ctx, opts)
}
