package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mde-ops/mde-ops/tools"
)

// object is a JSON object of which only some fields matter here.
type object = map[string]any

// manifest is a bundle's manifest: the committed one, with the version, the tools of the default surface and the platform.
func (j job) manifest(p platform) ([]byte, error) {
	m, err := readObject(filepath.Join(j.root, manifestFile))
	if err != nil {
		return nil, err
	}
	all, err := tools.Catalogue()
	if err != nil {
		return nil, err
	}
	offered, err := tools.Select(all, tools.Selection{})
	if err != nil {
		return nil, err
	}
	list := make([]object, len(offered))
	for i, t := range offered {
		list[i] = object{"name": t.Name, "description": t.Summary}
	}
	server, _ := m["server"].(object)
	if server == nil {
		return nil, fmt.Errorf("%s has no server", manifestFile)
	}
	server["entry_point"] = p.exe("server/mde-mcp")
	m["version"], m["tools"] = j.version, list
	m["compatibility"] = object{"platforms": []string{nodeName(p.os)}}
	return indented(m)
}

// nodeName is an operating system as manifests name it.
func nodeName(system string) string {
	if system == "windows" {
		return "win32"
	}
	return system
}

// writeBundle writes a bundle: a zip with the manifest and the program. The same input makes the same bytes.
func writeBundle(path string, manifest []byte, entry, program string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive := zip.NewWriter(file)
	if err := addFile(archive, "manifest.json", 0o644, bytes.NewReader(manifest)); err != nil {
		return err
	}
	from, err := os.Open(program)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := addFile(archive, entry, 0o755, from); err != nil {
		return err
	}
	return archive.Close()
}

func addFile(archive *zip.Writer, name string, mode fs.FileMode, from io.Reader) error {
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(mode)
	to, err := archive.CreateHeader(header)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}

func readObject(path string) (object, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
