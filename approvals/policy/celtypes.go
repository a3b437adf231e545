package policy

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/mde-ops/mde-ops/approvals"
)

// The objects that conditions see. Their fields are declared, so that a misspelt one is a fault of the file.
const (
	typeTarget    = "Target"
	typeRequester = "Requester"
	typeTime      = "Time"
)

// attribute is a field of an object of conditions.
type attribute struct {
	name string
	typ  *types.Type
	// words are all that the field can be, when they are known.
	words []string
	// lower says that its text is in lower case, whatever the tenant's spelling.
	lower bool
	get   func(any) (ref.Val, error)
	// set says whether the field is there; nil means unless it is empty text.
	set func(any) bool
}

func (a *attribute) field() *types.FieldType {
	return &types.FieldType{
		Type:    a.typ,
		GetFrom: func(v any) (any, error) { return a.get(v) },
		IsSet: func(v any) bool {
			if a.set != nil {
				return a.set(v)
			}
			got, err := a.get(v)
			if err != nil {
				return true // it is there, and can't be worked out: reading it says why
			}
			s, isText := got.(types.String)
			return !isText || s != ""
		},
	}
}

// vocabulary is the objects with their fields. It serves CEL as its provider of types.
type vocabulary struct {
	types.Provider
	objects map[string][]*attribute
	fields  map[string]map[string]*types.FieldType
}

func newVocabulary(base types.Provider) *vocabulary {
	v := &vocabulary{Provider: base, fields: map[string]map[string]*types.FieldType{}, objects: map[string][]*attribute{
		typeTarget: targetAttributes(), typeRequester: requesterAttributes(), typeTime: timeAttributes(),
	}}
	for name, list := range v.objects {
		v.fields[name] = map[string]*types.FieldType{}
		for _, a := range list {
			v.fields[name][a.name] = a.field()
		}
	}
	return v
}

// attribute is the declaration of a field, nil when there is none.
func (v *vocabulary) attribute(object, field string) *attribute {
	for _, a := range v.objects[object] {
		if a.name == field {
			return a
		}
	}
	return nil
}

// FindStructType is part of types.Provider.
func (v *vocabulary) FindStructType(name string) (*types.Type, bool) {
	if _, ok := v.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return v.Provider.FindStructType(name)
}

// FindStructFieldNames is part of types.Provider.
func (v *vocabulary) FindStructFieldNames(name string) ([]string, bool) {
	if list, ok := v.objects[name]; ok {
		names := make([]string, 0, len(list))
		for _, a := range list {
			names = append(names, a.name)
		}
		return names, true
	}
	return v.Provider.FindStructFieldNames(name)
}

// FindStructFieldType is part of types.Provider.
func (v *vocabulary) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if fields, ok := v.fields[name]; ok {
		f, found := fields[field]
		return f, found
	}
	return v.Provider.FindStructFieldType(name, field)
}

// object is a value of one of the declared types.
type object struct {
	typ  *types.Type
	data any
}

// ConvertToNative is part of ref.Val.
func (o object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a %s is no %v", o.typ, t)
}

// ConvertToType is part of ref.Val.
func (o object) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a %s is no %s", o.typ, t.TypeName())
}

// Equal is part of ref.Val: two objects are equal when they are the same one.
func (o object) Equal(other ref.Val) ref.Val {
	x, ok := other.(object)
	return types.Bool(ok && x.data == o.data)
}

// Type is part of ref.Val.
func (o object) Type() ref.Type { return o.typ }

// Value is part of ref.Val.
func (o object) Value() any { return o.data }

// words checks a word of the tenant against those that are known, because a rule that compares it with "High" must not
// pass over a word that may be worse.
func word(t *approvals.Target, field, got string, known []string) (ref.Val, error) {
	if got == "" {
		return types.String(""), nil
	}
	for _, k := range known {
		if strings.EqualFold(k, got) {
			return types.String(k), nil
		}
	}
	return nil, fmt.Errorf("%s of target %s is %q, which is none of the known words (%s)", field, clipped(t.ID, 80), clipped(got, 40),
		strings.Join(known, ", "))
}

// facts are what conditions see of a target.
type facts struct {
	t    *approvals.Target
	tags ref.Val
}

// targetAttributes are the fields of a target. The words are the API's own.
func targetAttributes() []*attribute {
	levels := []string{"None", "Informational", "Low", "Medium", "High"}
	list := []*attribute{
		factText("id", true, func(t *approvals.Target) string { return t.ID }),
		factText("kind", true, func(t *approvals.Target) string { return t.Kind }),
		factText("name", true, func(t *approvals.Target) string { return t.Name }),
		factText("os", false, func(t *approvals.Target) string { return t.OS }),
		factText("group", false, func(t *approvals.Target) string { return t.Group }),
		factWord("value", []string{"Normal", "Low", "High"}, func(t *approvals.Target) string { return t.Value }),
		factWord("health", []string{
			"Active", "Inactive", "ImpairedCommunication", "NoSensorData", "NoSensorDataImpairedCommunication", "Unknown",
		}, func(t *approvals.Target) string { return t.Health }),
		factWord("risk", levels, func(t *approvals.Target) string { return t.Risk }),
		factWord("exposure", levels, func(t *approvals.Target) string { return t.Exposure }),
		factWord("onboarding", []string{"onboarded", "CanBeOnboarded", "Unsupported", "InsufficientInfo"},
			func(t *approvals.Target) string { return t.Onboarding }),
	}
	return append(list,
		&attribute{name: "tags", typ: types.NewListType(types.StringType), lower: true, get: of(func(f *facts) (ref.Val, error) {
			if f.tags == nil {
				f.tags = texts(f.t.Tags)
			}
			return f.tags, nil
		})},
		&attribute{name: "last_seen", typ: types.TimestampType, set: func(v any) bool {
			f, ok := v.(*facts)
			return ok && !f.t.LastSeen.IsZero()
		}, get: of(func(f *facts) (ref.Val, error) {
			if f.t.LastSeen.IsZero() {
				return nil, fmt.Errorf("when target %s was last seen is not known", clipped(f.t.ID, 80))
			}
			return types.Timestamp{Time: f.t.LastSeen.UTC()}, nil
		})})
}

// of lets a getter see the data that it is for.
func of[T any](get func(T) (ref.Val, error)) func(any) (ref.Val, error) {
	return func(v any) (ref.Val, error) {
		x, ok := v.(T)
		if !ok {
			return nil, fmt.Errorf("a %T has no such field", v)
		}
		return get(x)
	}
}

func factText(name string, lower bool, text func(*approvals.Target) string) *attribute {
	return &attribute{name: name, typ: types.StringType, lower: lower, get: of(func(f *facts) (ref.Val, error) {
		if lower {
			return types.String(strings.ToLower(text(f.t))), nil
		}
		return types.String(text(f.t)), nil
	})}
}

func factWord(name string, words []string, text func(*approvals.Target) string) *attribute {
	return &attribute{name: name, typ: types.StringType, words: words, get: of(func(f *facts) (ref.Val, error) {
		return word(f.t, name, text(f.t), words)
	})}
}

// asker is what conditions see of the requester.
type asker struct {
	r      *approvals.Requester
	groups ref.Val
}

func requesterAttributes() []*attribute {
	assisted := func(a *asker) bool { return a.r.Agent != "" || a.r.Via == approvals.ViaMCP }
	yes := func(name string, is func(*asker) bool) *attribute {
		return &attribute{name: name, typ: types.BoolType, get: of(func(a *asker) (ref.Val, error) { return types.Bool(is(a)), nil })}
	}
	vias := []string{string(approvals.ViaMCP), string(approvals.ViaSlack), string(approvals.ViaShell)}
	return []*attribute{
		{name: "id", typ: types.StringType, lower: true, get: of(func(a *asker) (ref.Val, error) {
			return types.String(strings.ToLower(a.r.ID)), nil
		})},
		{name: "groups", typ: types.NewListType(types.StringType), get: of(func(a *asker) (ref.Val, error) { return a.groups, nil })},
		{name: "via", typ: types.StringType, words: vias, get: of(func(a *asker) (ref.Val, error) {
			if !slices.Contains(vias, string(a.r.Via)) {
				return nil, fmt.Errorf("the call came via %q, which is none of the known ways (%s)", clipped(string(a.r.Via), 40), strings.Join(vias, ", "))
			}
			return types.String(a.r.Via), nil
		})},
		yes("agent", assisted),
		yes("human", func(a *asker) bool { return !assisted(a) }),
		yes("verified", func(a *asker) bool { return a.r.Verified }),
	}
}

// moment is what conditions see of the time.
type moment struct {
	at    time.Time
	hours *calendar
}

func (m *moment) local() time.Time {
	if m.hours == nil {
		return m.at.UTC()
	}
	return m.at.In(m.hours.loc)
}

func timeAttributes() []*attribute {
	return []*attribute{
		{name: "timestamp", typ: types.TimestampType, get: of(func(m *moment) (ref.Val, error) {
			return types.Timestamp{Time: m.at.UTC()}, nil
		})},
		{name: "hour", typ: types.IntType, get: of(func(m *moment) (ref.Val, error) { return types.Int(m.local().Hour()), nil })},
		{name: "weekday", typ: types.StringType, words: days(), get: of(func(m *moment) (ref.Val, error) {
			return types.String(days()[m.local().Weekday()]), nil
		})},
		{name: "business", typ: types.BoolType, get: of(func(m *moment) (ref.Val, error) {
			if m.hours == nil {
				return nil, errors.New("the policy states no hours")
			}
			return types.Bool(m.hours.open(m.at)), nil
		})},
	}
}

// texts makes a list of texts in lower case.
func texts(list []string) ref.Val {
	lower := make([]string, len(list))
	for i, s := range list {
		lower[i] = strings.ToLower(s)
	}
	return types.NewStringList(types.DefaultTypeAdapter, lower)
}
