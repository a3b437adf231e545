package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/mde-ops/mde-ops"

// pkg is one package of the module as its source says, without test files.
type pkg struct {
	dir     string // slash path below the module root, "." for the root
	files   map[string]*ast.File
	imports []string // packages of this module, as dir paths
}

// tree parses every package of the module once per test.
func tree(t *testing.T) (map[string]*pkg, *token.FileSet) {
	t.Helper()
	root := moduleRoot(t)
	fset := token.NewFileSet()
	pkgs := make(map[string]*pkg)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		add(pkgs, filepath.ToSlash(rel), file)
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, pkgs, "no package was found below %s", root)
	return pkgs, fset
}

func add(pkgs map[string]*pkg, rel string, file *ast.File) {
	dir := path.Dir(rel)
	p := pkgs[dir]
	if p == nil {
		p = &pkg{dir: dir, files: make(map[string]*ast.File)}
		pkgs[dir] = p
	}
	p.files[path.Base(rel)] = file
	for _, imp := range file.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			continue
		}
		if rest, ok := strings.CutPrefix(name, module+"/"); ok {
			p.imports = append(p.imports, rest)
		}
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "no go.mod above the test's folder")
		dir = parent
	}
}

// reach returns every package of the module that from imports, directly or not.
func reach(pkgs map[string]*pkg, from string) map[string]bool {
	seen := make(map[string]bool)
	var visit func(string)
	visit = func(dir string) {
		p := pkgs[dir]
		if p == nil {
			return
		}
		for _, imp := range p.imports {
			if !seen[imp] {
				seen[imp] = true
				visit(imp)
			}
		}
	}
	visit(from)
	return seen
}

func sortedDirs(pkgs map[string]*pkg) []string {
	dirs := make([]string, 0, len(pkgs))
	for d := range pkgs {
		dirs = append(dirs, d)
	}
	sort.Strings(dirs)
	return dirs
}

// below reports whether dir is one of the prefixes or inside one.
func below(dir string, prefixes ...string) bool {
	for _, p := range prefixes {
		if dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}
