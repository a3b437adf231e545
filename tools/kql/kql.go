// Package kql writes hunting queries: values that people and assistants give become literals of the Kusto Query Language that
// they can't leave, and a library of named queries takes such values as parameters. It is text only: it asks nobody.
//
// A value never becomes part of a query's text. It is bound to a name by a let statement before the query, and the query uses
// the name.
package kql

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Type is the type of a parameter. It says what a value must look like, and how its literal is written.
type Type string

// The types of parameters.
const (
	// String is any text.
	String Type = "string"
	// Device is a device id of 40 hexadecimal digits.
	Device Type = "device"
	// Hash is an MD5, SHA-1 or SHA-256 in hexadecimal digits.
	Hash Type = "hash"
	// IP is an IPv4 or IPv6 address.
	IP Type = "ip"
	// Domain is a host name in ASCII.
	Domain Type = "domain"
	// Account is an account: name, DOMAIN\name or name@domain. The literal is the name alone; the domain, where there is one
	// before a backslash, is bound to the parameter's name with "_domain" after it.
	Account Type = "account"
	// DateTime is a point in time in RFC 3339.
	DateTime Type = "datetime"
	// Timespan is a length of time such as 90m, 24h or 7d.
	Timespan Type = "timespan"
	// Int is a whole number of 64 bits.
	Int Type = "int"
)

// Types lists the types of parameters.
func Types() []Type {
	return []Type{String, Device, Hash, IP, Domain, Account, DateTime, Timespan, Int}
}

// Param is a value with its type and the name that a query knows it by.
type Param struct {
	Name  string
	Type  Type
	Value string
}

// ParseParam reads "name:type=value".
func ParseParam(s string) (Param, error) {
	head, value, ok := strings.Cut(s, "=")
	name, kind, typed := strings.Cut(head, ":")
	if !ok || !typed {
		return Param{}, fmt.Errorf("%s is not name:type=value, such as target:ip=192.0.2.7", shown(s))
	}
	p := Param{Name: strings.TrimSpace(name), Type: Type(strings.TrimSpace(kind)), Value: value}
	if !slices.Contains(Types(), p.Type) {
		return Param{}, fmt.Errorf("%s has the type %s; the types are %s", shown(p.Name), shown(string(p.Type)), typeList())
	}
	return p, checkName(p.Name)
}

func typeList() string {
	names := make([]string, 0, len(Types()))
	for _, t := range Types() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// Columns of the hunting schema begin with a capital letter and hide names of let statements, so that parameters must not.
var nameText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`) })

func checkName(name string) error {
	switch {
	case !nameText().MatchString(name):
		return fmt.Errorf("the name %s must begin with a small letter and go on with at most 39 small letters, digits and '_'", shown(name))
	case slices.Contains(reserved(), name):
		return fmt.Errorf("the name %s is a word of the query language; choose another", shown(name))
	}
	return nil
}

// reserved are words that a query would read otherwise than as the parameter of that name.
func reserved() []string {
	return []string{
		"ago", "and", "as", "asc", "between", "bin", "bool", "by", "case", "contains", "count", "datatable", "datetime", "declare", "decimal",
		"desc", "distinct", "double", "dynamic", "endswith", "evaluate", "extend", "false", "filter", "from", "guid", "has", "has_all",
		"has_any", "in", "int", "invoke", "join", "kind", "let", "limit", "long", "lookup", "matches", "materialize", "mv", "not", "now",
		"null", "on", "or", "order", "parse", "print", "project", "range", "real", "render", "sample", "search", "set", "sort",
		"startswith", "step", "string", "summarize", "take", "time", "timespan", "to", "toscalar", "top", "true", "typeof", "union",
		"where", "with",
	}
}

// let writes the let statements of a parameter, those that the query uses.
func (p Param) let(query string) ([]string, error) {
	text, err := Literal(p.Type, p.Value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	lets := []string{"let " + p.Name + " = " + text + ";"}
	if extra := p.Name + "_domain"; p.Type == Account && uses(query, extra) {
		_, domain, err := splitAccount(p.Value)
		if err != nil {
			return nil, err
		}
		lets = append(lets, "let "+extra+" = "+quote(domain)+";")
	}
	return lets, nil
}

// Bind puts let statements for the parameters before a query, all in one line, so that line n of the query is line n+1 of
// the result. A parameter that the query doesn't use is refused, because its filter would be missing.
func Bind(query string, params []Param) (string, error) {
	if strings.TrimSpace(query) == "" {
		return "", errors.New("the query is empty")
	}
	var lets []string
	seen := map[string]bool{}
	for _, p := range params {
		if err := checkName(p.Name); err != nil {
			return "", err
		}
		switch {
		case seen[p.Name]:
			return "", fmt.Errorf("the parameter %s is given twice", p.Name)
		case !uses(query, p.Name):
			return "", fmt.Errorf("the parameter %s is not used: the query must name it where the value belongs, without quotes", p.Name)
		case declares(query, p.Name):
			return "", fmt.Errorf("the query has a let statement for %s, which is also a parameter; name one of them otherwise", p.Name)
		}
		seen[p.Name] = true
		if p.Type == Account {
			seen[p.Name+"_domain"] = true
		}
		more, err := p.let(query)
		if err != nil {
			return "", err
		}
		lets = append(lets, more...)
	}
	if len(lets) == 0 {
		return query, nil
	}
	return strings.Join(lets, " ") + "\n" + query, nil
}

// uses reports whether a query has a name as a word of its own. Names have only letters, digits and '_'.
func uses(query, name string) bool {
	return regexp.MustCompile(`(^|[^0-9A-Za-z_])` + regexp.QuoteMeta(name) + `([^0-9A-Za-z_]|$)`).MatchString(query)
}

func declares(query, name string) bool {
	return regexp.MustCompile(`(^|[^0-9A-Za-z_])let\s+` + regexp.QuoteMeta(name) + `\s*=`).MatchString(query)
}

// outside finds what makes a query reach beyond the tables of hunting: it would fetch from, or send to, an address that
// stands in the query, which whoever talked an assistant into the query may have chosen.
var outside = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(externaldata|external_data|external_table|http_request|http_request_post|azure_digital_twins_query_request|` +
		`cosmosdb_sql_request|mysql_request|postgresql_request|sql_request|adx|cluster)\b`)
})

// CheckInside refuses a query that reaches beyond the tables of hunting. It looks at the whole text, strings included, because a
// reader of queries that sees strings otherwise than the service does could be passed; a value that only looks like such
// a word can be given as a parameter, which is not looked at.
func CheckInside(query string) error {
	if word := outside().FindString(query); word != "" {
		return fmt.Errorf("the query holds %s, with which a query reaches beyond the hunting tables; if it is only text to search for, give it as a parameter", shown(word))
	}
	return nil
}

// shown is a piece of what a caller gave, for an error: short, and in ASCII.
func shown(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		s = string(runes[:60]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
