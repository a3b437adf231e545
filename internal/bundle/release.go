package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Where a release's files and images are.
const (
	releases = "https://github.com/mde-ops/mde-ops/releases/download/v"
	image    = "ghcr.io/mde-ops/mde-mcp:"
)

// archive packs files as a platform's people expect them and returns its name.
func (j job) archive(p platform, paths []string) (name string, err error) {
	name = fmt.Sprintf("mde-ops_%s_%s_%s", j.version, p.os, p.arch)
	into := packTar
	if p.os == "windows" {
		name, into = name+".zip", packZip
	} else {
		name += ".tar.gz"
	}
	file, err := os.Create(filepath.Join(j.out, name))
	if err != nil {
		return name, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return name, into(file, paths)
}

// modeOf is how a file of an archive may be used: programs have no suffix, or that of Windows.
func modeOf(path string) fs.FileMode {
	if strings.HasPrefix(filepath.Base(path), "mde-") {
		return 0o755
	}
	return 0o644
}

func packTar(w io.Writer, paths []string) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: filepath.Base(path), Mode: int64(modeOf(path)), Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(data); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zipped.Close())
}

func packZip(w io.Writer, paths []string) error {
	archive := zip.NewWriter(w)
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = addFile(archive, filepath.Base(path), modeOf(path), file)
		file.Close()
		if err != nil {
			return err
		}
	}
	return archive.Close()
}

// registry writes server.json, the entry of the MCP registry: the committed one, with the version and each bundle's checksum.
func (j job) registry() error {
	entry, err := readObject(filepath.Join(j.root, registryFile))
	if err != nil {
		return err
	}
	entry["version"] = j.version
	var packages []any
	list, _ := entry["packages"].([]any)
	for _, item := range list {
		one, _ := item.(object)
		switch one["registryType"] {
		case "oci":
			one["identifier"] = image + j.version
			packages = append(packages, one)
		case "mcpb":
			bundles, err := j.bundles(one)
			if err != nil {
				return err
			}
			packages = append(packages, bundles...)
		default:
			return fmt.Errorf("%s has a package of kind %v, which nobody here makes", registryFile, one["registryType"])
		}
	}
	entry["packages"] = packages
	text, err := indented(entry)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(j.out, "server.json"), text, 0o644)
}

// bundles are the packages of all bundles, after the pattern of one.
func (j job) bundles(pattern object) ([]any, error) {
	var all []any
	for _, p := range j.platforms {
		sum, err := checksum(filepath.Join(j.out, p.bundle()))
		if err != nil {
			return nil, err
		}
		all = append(all, object{
			"registryType": "mcpb", "identifier": releases + j.version + "/" + p.bundle(), "version": j.version,
			"fileSha256": sum, "transport": pattern["transport"],
		})
	}
	return all, nil
}

// sums writes the checksums of files, as sha256sum reads them.
func (j job) sums(names []string) error {
	var b strings.Builder
	for _, name := range names {
		sum, err := checksum(filepath.Join(j.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s  %s\n", sum, name)
	}
	return os.WriteFile(filepath.Join(j.out, "SHA256SUMS"), []byte(b.String()), 0o644)
}

func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
