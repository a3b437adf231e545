package mdesim

import (
	"slices"
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
}

func extensions() []extension {
	both := []string{"chrome", "edge_chromium-based"}
	return []extension{
		{
			"gighmmpiobklfepjocnamgkkbiglidom", "Ad filter", "Leaves advertisements out of pages.", "6.12.0", both, 35,
			[]string{"storage", "tabs", "webRequest", "https://*/*"},
		},
		{"hdokiejnpimakedhajhdlcegeplioahd", "Password keeper", "Fills in passwords.", "4.131.0", both, 20, []string{"clipboardWrite", "storage", "tabs", "https://*/*"}},
		{"kbfnbcaeplbcioakkpcpgfkobkghlhen", "Writing help", "Corrects spelling.", "14.1208.0", []string{"edge_chromium-based"}, 15, []string{"cookies", "storage"}},
		{"aapbdbdomjkkjkaonfhkkikfgjllcleb", "Translator", "Translates pages.", "2.0.16", []string{"chrome"}, 25, []string{"activeTab", "storage"}},
		{"dkpejdfnpdkhifgbancbammdijojoffk", "Smooth scroller", "Scrolls smoothly.", "6.65.62", both, 4, []string{"tabs", "http://*/*", "https://*/*", "nativeMessaging"}},
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

// permissionsOf is the permissions of an extension and the highest risk of them.
func (e extension) permissionsOf() (out []extensionPermission, risk string) {
	order := []string{"None", "Low", "Medium", "High", "Critical"}
	known := extensionPermissions()
	risk = order[0]
	for _, id := range e.permissions {
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
	for _, browser := range t.softwareOn(d) {
		for _, e := range extensions() {
			dice := scramble(d.dice("extension") ^ hash64(e.id+browser.name))
			if !slices.Contains(e.browsers, browser.name) || int(dice%100) >= e.share {
				continue
			}
			permissions, risk := e.permissionsOf()
			a := assetOf(d)
			out = append(out, assetExtension{
				DeviceID: a.DeviceID, DeviceName: a.DeviceName, RBACGroupID: a.RBACGroupID, RBACGroupName: a.RBACGroupName,
				InstallationTime: midnight(d.LastSeen).Add(-time.Duration(dice>>8%(90*24)) * time.Hour), BrowserName: browser.name, ExtensionID: e.id,
				ExtensionName: e.name, ExtensionDescription: e.about, ExtensionVersion: e.version, ExtensionRisk: risk,
				IsActivated: dice>>40%8 != 0, Permissions: permissions,
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
