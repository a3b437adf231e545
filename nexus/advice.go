package nexus

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// The permissions that calls need.
const (
	permitReadClusters   = provider + "/clusters/read"
	permitReadNodes      = provider + "/bareMetalMachines/read"
	permitReadOperations = provider + "/locations/operationStatuses/read"
	permitScan           = provider + "/clusters/scanRuntime/action"
	permitReport         = provider + "/bareMetalMachines/runDataExtractsRestricted/action"
	permitWriteClusters  = provider + "/clusters/write"
)

// roleLevel is the smallest level of the custom role in docs/nexus.md that holds a permission; empty when none does.
func roleLevel(permission string) string {
	for level, held := range map[string][]string{
		"read":    {permitReadClusters, permitReadNodes, permitReadOperations},
		"operate": {permitScan, permitReport},
		"admin":   {permitWriteClusters},
	} {
		for _, p := range held {
			if strings.EqualFold(p, permission) {
				return level
			}
		}
	}
	return ""
}

// forbiddenPattern finds what is missing in Resource Manager's texts of AuthorizationFailed ("does not have authorization to
// perform action 'A' over scope 'S'") and LinkedAuthorizationFailed ("… permission to perform action(s) 'A' on the linked
// scope(s) 'S'"). The latter names a permission that is there first, so that the words before count.
var forbiddenPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)does not have (?:authorization|permission) to perform actions?(?:\(s\))? '([^']{1,200})' (?:over|on) (?:the )?(?:linked )?scopes?(?:\(s\))? '(/[^']{0,1000})'`)
})

var actionPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z][\w.]*(?:/[\w*-]+)+$`)
})

// parseForbidden reads the missing action and its scope out of a 403's message; empty when it does not say.
func parseForbidden(message string) (action, scope string) {
	m := forbiddenPattern().FindStringSubmatch(message)
	if m == nil || !actionPattern().MatchString(m[1]) {
		return "", ""
	}
	return m[1], m[2]
}

// advice says what an answer means and who can mend it; empty where the service's own text is all there is to say.
func advice(what call, failed *Error) string {
	switch status := failed.Status; {
	case status == http.StatusUnauthorized:
		return "the token was refused, also a fresh one: check the tenant, the application and the address of Azure Resource Manager"
	case status == http.StatusForbidden:
		return missingPermission(what, failed)
	case unsupported(failed):
		return "the service does not take the api-version " + what.version + " here"
	case status == http.StatusNotFound:
		return what.missing
	case status == http.StatusConflict && failed.Code == "MissingSubscriptionRegistration":
		return "the subscription is not registered for " + provider + ": its owner or a contributor has to register it " +
			"(az provider register --namespace " + provider + "); this program never does"
	case status == http.StatusConflict:
		return "something else is under way there; wait until it has ended"
	case status == http.StatusPreconditionFailed:
		return "it was changed by somebody since it was read, and nothing was done: look at it again"
	case status == http.StatusTooManyRequests:
		return "too many calls"
	case status >= 300 && status < 400:
		return "a redirect was refused: the address of Azure Resource Manager is probably wrong"
	}
	return ""
}

// missingPermission names the permission, where it is missing, and the smallest role that has it.
func missingPermission(what call, failed *Error) string {
	action, scope := failed.Action, " on "+failed.Scope
	if action == "" {
		action, scope = what.permission, ""
	}
	text := fmt.Sprintf("the application lacks the permission %s%s: ", action, scope)
	if level := roleLevel(action); level != "" {
		return text + fmt.Sprintf("the custom role of docs/nexus.md has it, at its level %q", level)
	}
	return text + "the custom role of docs/nexus.md does not have it, so that the owner of that resource has to grant it"
}
