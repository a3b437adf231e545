// Package opdoc reads the machine-read lines of the Defender client's methods:
//
//	//mde:op METHOD /path/{template} roles=Any,Of,These
//
// Tests compare them with the table of operations, and docs/coverage.md is written from them.
package opdoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
)

// prefix begins a machine-read line.
const prefix = "//mde:op "

// Method is one method of the client that performs an operation.
type Method struct {
	// Name is the method's, e.g. IsolateMachine; File the source file's.
	Name, File string
	// HTTP and Path are what the line says is sent.
	HTTP, Path string
	// Roles are the application permissions of which any one suffices.
	Roles []string
	// Doc is the method's whole comment, without the line.
	Doc string
}

// Endpoint is "METHOD /path/{template}".
func (m Method) Endpoint() string { return m.HTTP + " " + m.Path }

// Deprecated reports whether the comment has a paragraph that deprecates the method.
func (m Method) Deprecated() bool { return strings.Contains(m.Doc, "\nDeprecated: ") }

// Read returns the methods with a machine-read line in the Go files of a directory, test files left out.
func Read(dir string) (map[string]Method, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	found := map[string]Method{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("the client's methods can't be read: %w", err)
		}
		for _, decl := range file.Decls {
			m, ok, err := method(decl)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
			}
			if ok {
				m.File = filepath.Base(name)
				found[m.Name] = m
			}
		}
	}
	return found, nil
}

// method reads a declaration; false when it is not a method with the line.
func method(decl ast.Decl) (Method, bool, error) {
	fn, ok := decl.(*ast.FuncDecl)
	if !ok || fn.Recv == nil || fn.Doc == nil || !fn.Name.IsExported() {
		return Method{}, false, nil
	}
	for _, line := range fn.Doc.List {
		rest, ok := strings.CutPrefix(line.Text, prefix)
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) != 3 || !strings.HasPrefix(fields[2], "roles=") {
			return Method{}, false, fmt.Errorf("%s: the line %q must read %sMETHOD PATH roles=A,B", fn.Name.Name, line.Text, prefix)
		}
		return Method{
			Name: fn.Name.Name, HTTP: fields[0], Path: fields[1], Doc: fn.Doc.Text(),
			Roles: strings.Split(strings.TrimPrefix(fields[2], "roles="), ","),
		}, true, nil
	}
	return Method{}, false, nil
}
