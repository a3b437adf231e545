package mdecore

import (
	"context"
	"iter"
)

// permissionItem is an item of the list of permissions. The page's sample wraps the items in a second list of the same
// name, so both an item and a list of items are read.
type permissionItem struct {
	BrowserExtensionPermission
	Value []BrowserExtensionPermission `json:"value"`
}

// items are the permissions of an item.
func (p *permissionItem) items() []BrowserExtensionPermission {
	if p.Value != nil {
		return p.Value
	}
	return []BrowserExtensionPermission{p.BrowserExtensionPermission}
}

// ListBrowserExtensionPermissions iterates over the permissions that browser extensions can have, to explain those of
// AssetBrowserExtension. The page names properties for $filter that the resource does not have, except description.
// Documentation page: get-browser-extensions-permission-info.md.
//
//mde:op GET /api/browserextensions/permissionsinfo roles=Software.Read.All
func (c *Client) ListBrowserExtensionPermissions(ctx context.Context, q Query) iter.Seq2[*BrowserExtensionPermission, error] {
	// Top counts permissions, not the lists that they come in, so it is kept here.
	lists := list[permissionItem](ctx, c, q.call(call{op: "ListBrowserExtensionPermissions"}), Page{Skip: q.Skip})
	return func(yield func(*BrowserExtensionPermission, error) bool) {
		count := 0
		for item, err := range lists {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, p := range item.items() {
				if (q.Top > 0 && count >= q.Top) || !yield(&p, nil) {
					return
				}
				count++
			}
		}
	}
}
