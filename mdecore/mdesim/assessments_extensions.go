package mdesim

import (
	"slices"
	"sync"
	"time"
)

// assetExtension is the assetBrowserExtension resource, whose names begin with
// capitals.
type assetExtension struct {
	DeviceID             string                `json:"DeviceId"`
	DeviceName           Nullable              `json:"DeviceName"`
	RBACGroupID          int64                 `json:"RbacGroupId"`
	RBACGroupName        string                `json:"RbacGroupName"`
	InstallationTime     time.Time             `json:"InstallationTime"`
	BrowserName          string                `json:"BrowserName"`
	ExtensionID          string                `json:"ExtensionId"`
	ExtensionName        string                `json:"ExtensionName"`
	ExtensionDescription string                `json:"ExtensionDescription"`
	ExtensionVersion     string                `json:"ExtensionVersion"`
	ExtensionRisk        string                `json:"ExtensionRisk"`
	IsActivated          bool                  `json:"IsActivated"`
	Permissions          []extensionPermission `json:"Permissions"`
}

type extensionPermission struct {
	ID         string `json:"Id"`
	IsRequired bool   `json:"IsRequired"`
	Risk       string `json:"Risk"`
}

// extension is a browser extension that people of the tenant have installed.
type extension struct {
	id, name, about, version string
	browsers                 []string // products of the catalogue of software
	share                    int      // percent of those browsers that have it
	permissions              []string

	granted []extensionPermission
	risk    string // the highest of the granted ones
	salt    uint64
}

// extensions are the same for all tenants, and read only.
var extensions = sync.OnceValue(func() []extension {
	out := knownExtensions()
	for i := range out {
		e := &out[i]
		e.granted, e.risk = permissionsOf(e.permissions)
		e.salt = hash64("extension/" + e.id)
	}
	return out
})

func knownExtensions() []extension {
	both := []string{"chrome", "edge_chromium-based"}
	return []extension{
		{
			id: "gighmmpiobklfepjocnamgkkbiglidom", name: "Ad filter", about: "Leaves advertisements out of pages.", version: "6.12.0",
			browsers: both, share: 35, permissions: []string{"storage", "tabs", "webRequest", "https://*/*"},
		},
		{
			id: "hdokiejnpimakedhajhdlcegeplioahd", name: "Password keeper", about: "Fills in passwords.", version: "4.131.0",
			browsers: both, share: 20, permissions: []string{"clipboardWrite", "storage", "tabs", "https://*/*"},
		},
		{
			id: "kbfnbcaeplbcioakkpcpgfkobkghlhen", name: "Writing help", about: "Corrects spelling.", version: "14.1208.0",
			browsers: []string{"edge_chromium-based"}, share: 15, permissions: []string{"cookies", "storage"},
		},
		{
			id: "aapbdbdomjkkjkaonfhkkikfgjllcleb", name: "Translator", about: "Translates pages.", version: "2.0.16",
			browsers: []string{"chrome"}, share: 25, permissions: []string{"activeTab", "storage"},
		},
		{
			id: "dkpejdfnpdkhifgbancbammdijojoffk", name: "Smooth scroller", about: "Scrolls smoothly.", version: "6.65.62",
			browsers: both, share: 4, permissions: []string{"tabs", "http://*/*", "https://*/*", "nativeMessaging"},
		},
	}
}

// permissionInfo is the browserExtensionPermission resource.
type permissionInfo struct {
	Key            string `json:"key"`
	PermissionName string `json:"permissionName"`
	Description    string `json:"description"`
	risk           string
}

// extensionPermissions explains the permissions that extensions have; patterns of
// addresses are permissions without a key of their own.
func extensionPermissions() []permissionInfo {
	return []permissionInfo{
		{"activeTab", "See the page in front", "Reads the page that the person looks at, when asked to.", "Low"},
		{"clipboardWrite", "Change the clipboard", "Puts text where the person will paste from.", "Medium"},
		{"cookies", "Read and change cookies", "Cookies can hold sessions of signed-in people.", "High"},
		{"nativeMessaging", "Talk to programs", "Exchanges messages with a program outside the browser.", "Critical"},
		{"storage", "Keep data", "Keeps data of its own in the browser.", "None"},
		{"tabs", "See open pages", "Knows the addresses of all open pages.", "High"},
		{"webRequest", "Watch requests", "Sees and can block what the browser sends.", "High"},
	}
}

// permissionsOf describes the permissions of an extension, and the highest risk
// of them.
func permissionsOf(ids []string) (out []extensionPermission, risk string) {
	order := []string{"None", "Low", "Medium", "High", "Critical"}
	known := extensionPermissions()
	risk = order[0]
	for _, id := range ids {
		p := extensionPermission{ID: id, IsRequired: true, Risk: "High"}
		if at := slices.IndexFunc(known, func(k permissionInfo) bool { return k.Key == id }); at >= 0 {
			p.Risk = known[at].risk
		}
		if slices.Index(order, p.Risk) > slices.Index(order, risk) {
			risk = p.Risk
		}
		out = append(out, p)
	}
	return out, risk
}

// extensionRows are the extensions in the browsers that a device has.
func extensionRows(t *Tenant, d *device) []any {
	var out []any
	own := d.dice("extension")
	for _, browser := range t.softwareOn(d) {
		for i := range extensions() {
			e := &extensions()[i]
			dice := scramble(own ^ e.salt ^ browser.salt)
			if !slices.Contains(e.browsers, browser.name) || int(dice%100) >= e.share {
				continue
			}
			a := assetOf(d)
			out = append(out, assetExtension{
				DeviceID: a.DeviceID, DeviceName: a.DeviceName, RBACGroupID: a.RBACGroupID, RBACGroupName: a.RBACGroupName,
				InstallationTime: midnight(d.LastSeen).Add(-time.Duration(dice>>8%(90*24)) * time.Hour), BrowserName: browser.name, ExtensionID: e.id,
				ExtensionName: e.name, ExtensionDescription: e.about, ExtensionVersion: e.version, ExtensionRisk: e.risk,
				IsActivated: dice>>40%8 != 0, Permissions: e.granted,
			})
		}
	}
	return out
}

// listExtensionPermissions answers with a list in a list, as the page's sample
// does. Of the properties that the page lets filter on, only description exists.
func listExtensionPermissions(c *call) response {
	l := listing[permissionInfo]{
		context: "BrowserExtension",
		schema:  schema[permissionInfo]{"description": {propertyType{kind: kindString}, func(p permissionInfo) any { return p.Description }}},
		wire:    func(p permissionInfo, _ bool) any { return p },
	}
	page, next, err := l.cut(c, slices.Values(extensionPermissions()), c.t.PageSize)
	if err != nil {
		return c.odataError(err)
	}
	return c.list(l.context, []map[string]any{{"value": page}}, next)
}
