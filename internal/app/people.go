package app

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

var slackUserID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`) })

// ReadPeople reads the file of MDE_SLACK_PEOPLE_FILE: the names that the directory knows people by, in small letters, by their
// Slack user ids. No file is an empty map. Its errors say what is wrong with which line of it.
func ReadPeople(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file) //nolint:gosec // the administrator names it
	if err != nil {
		return nil, fmt.Errorf("MDE_SLACK_PEOPLE_FILE: %w", err)
	}
	people, err := parsePeople(raw)
	if err != nil {
		return nil, fmt.Errorf("MDE_SLACK_PEOPLE_FILE: %s: %w", file, err)
	}
	return people, nil
}

func parsePeople(raw []byte) (map[string]string, error) {
	var doc struct {
		People map[string]string `yaml:"people"`
	}
	if err := yaml.UnmarshalWithOptions(raw, &doc, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("it is not YAML with people: and one line for each, such as U0123ABC: alice@contoso.com: %w", err)
	}
	if len(doc.People) == 0 {
		return nil, errors.New("it maps nobody; take the setting away, or name somebody under the word people")
	}
	people := make(map[string]string, len(doc.People))
	for user, name := range doc.People {
		id := strings.ToLower(strings.TrimSpace(name))
		switch before, after, ok := strings.Cut(id, "@"); {
		case !slackUserID().MatchString(user):
			return nil, fmt.Errorf("%q is not the id of a Slack user, which begins with U or W: copy it from the person's profile", user)
		case !ok, before == "", !strings.Contains(after, "."), strings.ContainsAny(id, " \t\n,;<>\""):
			return nil, fmt.Errorf("%q of %s is not a user principal name, such as alice@contoso.com", name, user)
		}
		people[user] = id
	}
	return people, nil
}
