package mdesim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// related answers with what an alert's evidence names.
func related[T any](c *call, context string, find func(*Alert) []T) response {
	a, ok := c.alert()
	if !ok {
		return c.noAlert()
	}
	return plainList(c, context, append([]T{}, find(a)...))
}

// plainList answers with a list that takes no query options.
func plainList[T any](c *call, context string, items []T) response {
	for name := range c.r.URL.Query() {
		if strings.HasPrefix(name, "$") && name != "$skip" && name != "$top" {
			return c.t.problem(http.StatusBadRequest, "ODataError", "The query option '"+name+"' is not supported")
		}
	}
	return listing[T]{context: context, wire: func(v T, _ bool) any { return v }}.serve(c, items)
}

// alertDomains lists the hosts of an alert's URLs (documentation:
// get-alert-related-domain-info.md).
func alertDomains(c *call) response {
	type domain struct {
		Host string `json:"host"`
	}
	return related(c, "Domains", func(a *Alert) (out []domain) {
		for _, host := range a.hosts() {
			out = append(out, domain{host})
		}
		return out
	})
}

// alertIPs lists an alert's addresses (documentation:
// get-alert-related-ip-info.md).
func alertIPs(c *call) response {
	type ip struct {
		ID string `json:"id"`
	}
	return related(c, "Ips", func(a *Alert) (out []ip) {
		for _, address := range a.addresses() {
			out = append(out, ip{address})
		}
		return out
	})
}

// alertFiles lists an alert's files (documentation:
// get-alert-related-files-info.md). Its sample has the MD5, as no other answer
// about files does.
func alertFiles(c *call) response {
	type file struct {
		fileView
		MD5 string `json:"md5"`
	}
	return related(c, "Files", func(a *Alert) (out []file) {
		for _, e := range a.files() {
			f := c.t.fileOf(e)
			out = append(out, file{f.view(c.t.now()), f.md5})
		}
		return out
	})
}

// alertMachine answers with an alert's device (documentation:
// get-alert-related-machine-info.md).
func alertMachine(c *call) response {
	a, ok := c.alert()
	if !ok {
		return c.noAlert()
	}
	d, ok := c.t.byID(a.MachineID)
	if !ok {
		return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Machine "+a.MachineID+" was not found")
	}
	return c.machine(d)
}

// alertUser answers with an alert's account (documentation:
// get-alert-related-user-info.md).
func alertUser(c *call) response {
	a, ok := c.alert()
	if !ok {
		return c.noAlert()
	}
	if a.RelatedUser != nil {
		if u, ok := c.t.account(a.RelatedUser.DomainName, a.RelatedUser.UserName); ok {
			return c.t.ok(http.StatusOK, struct {
				Context string `json:"@odata.context"`
				userView
			}{c.metadata("Users/$entity"), u})
		}
	}
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "No user of alert "+a.ID+" was found")
}

// files is the evidence with a hash, each file once.
func (a *Alert) files() (out []Evidence) {
	for _, e := range a.Evidence {
		same := func(o Evidence) bool { return strings.EqualFold(string(o.SHA1), string(e.SHA1)) }
		if e.SHA1 != "" && !slices.ContainsFunc(out, same) {
			out = append(out, e)
		}
	}
	return out
}

// addresses is the addresses of the evidence, each once.
func (a *Alert) addresses() (out []string) {
	for _, e := range a.Evidence {
		if ip := string(e.IPAddress); ip != "" && !slices.Contains(out, ip) {
			out = append(out, ip)
		}
	}
	return out
}

// hosts is the host names of the evidence's URLs, each once.
func (a *Alert) hosts() (out []string) {
	for _, e := range a.Evidence {
		if host := hostOf(string(e.URL)); host != "" && !slices.Contains(out, host) {
			out = append(out, host)
		}
	}
	return out
}

// hostOf is the host name in a URL, with or without a scheme.
func hostOf(text string) string {
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "://") {
		text = "//" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
