package report

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode"
)

const (
	// reportName begins the name of the report's file; a node's name may follow.
	reportName  = "mde-agent-information"
	maxMembers  = 1000
	maxNames    = 5
	maxNameText = 120
	// tarEnd is the zeros that end a tar: without them it was cut between two members. The padding of a member and one of
	// the two blocks are fewer.
	tarEnd = 2 * tarBlock
)

// archive is what was seen in an archive, and in those inside of it.
type archive struct {
	members int
	names   []string // for a message, when there is no report
	// named is the file with the report's name; other is the one that reads like a report under another name, another the
	// name of the second such one, and failed why the first that does not read like one is none.
	named, other *Report
	another      string
	failed       error
	// zipped counts what comes out of zips, and claimed what their members say of themselves.
	zipped  *meter
	claimed uint64
}

func isTar(head []byte) bool {
	if len(head) < tarBlock {
		return false
	}
	// A tar without members is zeros only.
	return string(head[257:262]) == "ustar" || len(bytes.Trim(head, "\x00")) == 0
}

// tar reads all members, also those after the report, because what is wrong with them is wrong with the archive.
func (in *intake) tar(r io.Reader) (*Report, error) {
	end := &zeros{r: r}
	members := tar.NewReader(end)
	for {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return nil, damaged("tar", err)
		}
		if err := in.tarMember(header, layer{members, "tar"}); err != nil {
			return nil, err
		}
	}
	if err := end.check(); err != nil {
		return nil, err
	}
	return in.found()
}

func (in *intake) tarMember(header *tar.Header, r io.Reader) error {
	switch header.Typeflag {
	case tar.TypeXGlobalHeader:
		return in.count()
	case tar.TypeDir:
		return in.enter(header.Name)
	case tar.TypeLink, tar.TypeSymlink:
		return leadsOut(header.Name, "is a link")
	case tar.TypeReg:
		if err := in.enter(header.Name); err != nil {
			return err
		}
	default:
		return unusual(header.Name, fmt.Sprintf("tar type %q", header.Typeflag))
	}
	if strings.HasSuffix(strings.ToLower(header.Name), ".zip") {
		return in.zip(r)
	}
	return in.file(header.Name, r)
}

// count counts a member.
func (in *intake) count() error {
	if in.members++; in.members > maxMembers {
		return &Error{Fault: FaultTooLarge, Text: fmt.Sprintf("the archive has more than %d members, which no report's has: it was not read on", maxMembers)}
	}
	return nil
}

// enter counts a member and refuses one whose name leads out. Nothing is written under that name here, but an archive with
// such a name is an attack on whoever unpacks it, and not the agent's work.
func (in *intake) enter(name string) error {
	if err := in.count(); err != nil {
		return err
	}
	slashed := strings.ReplaceAll(name, `\`, "/")
	drive := len(slashed) > 1 && slashed[1] == ':'
	if drive || strings.HasPrefix(slashed, "/") {
		return leadsOut(name, "is absolute")
	}
	for _, part := range strings.Split(slashed, "/") {
		if part == ".." {
			return leadsOut(name, `has a ".."`)
		}
	}
	if len(in.names) < maxNames && !strings.HasSuffix(slashed, "/") {
		in.names = append(in.names, harmless(name))
	}
	return nil
}

func leadsOut(name, why string) *Error {
	return &Error{Fault: FaultTraversal, Text: fmt.Sprintf("%q in the archive %s: the archive was refused, because the agent does not write such; look at the node before collecting again", harmless(name), why)}
}

// unusual refuses devices and the like.
func unusual(name, kind string) *Error {
	return &Error{Fault: FaultArchive, Text: fmt.Sprintf("%q in the archive is neither a file nor a directory (%s): the archive was refused", harmless(name), kind)}
}

// file decodes a member that may be the report. The file with the report's name counts, wherever it stands; only when there
// is none, the one other that reads like a report.
func (in *intake) file(name string, r io.Reader) error {
	base := strings.ToLower(path.Base(name))
	if !strings.HasSuffix(base, ".json") {
		return nil
	}
	if !strings.HasPrefix(base, reportName) {
		return in.otherFile(name, r)
	}
	if in.named != nil {
		return twice(in.named.Name, name)
	}
	report, err := decode(r)
	if err != nil {
		return err
	}
	report.Name, in.named = harmless(name), report
	return nil
}

// otherFile holds its failure back: the file with the right name may follow.
func (in *intake) otherFile(name string, r io.Reader) error {
	if in.named != nil {
		return nil
	}
	report, err := decode(r)
	switch {
	case err != nil && in.failed == nil:
		in.failed = err
	case err == nil && in.other != nil:
		in.another = name
	case err == nil:
		report.Name, in.other = harmless(name), report
	}
	return nil
}

func twice(first, second string) *Error {
	return &Error{Fault: FaultInvalid, Text: fmt.Sprintf("the archive has two reports, %q and %q: which one counts can't be told", first, harmless(second))}
}

// found is the report, when all is read.
func (in *intake) found() (*Report, error) {
	switch {
	case in.named != nil:
		return in.named, nil
	case in.another != "":
		return nil, twice(in.other.Name, in.another)
	case in.other != nil:
		return in.other, nil
	case in.failed != nil:
		return nil, in.failed
	}
	seen := "is empty"
	if len(in.names) > 0 {
		seen = fmt.Sprintf("has %q", in.names)
	}
	return nil, &Error{Fault: FaultNone, Text: fmt.Sprintf("there is no %s.json in the archive: the agent may not run on the node, see the command's output; the archive %s", reportName, seen)}
}

// zeros remembers how many zeros ended what was read.
type zeros struct {
	r   io.Reader
	run int
}

func (z *zeros) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	if rest := bytes.TrimRight(p[:n], "\x00"); len(rest) == 0 {
		z.run += n
	} else {
		z.run = n - len(rest)
	}
	return n, err
}

// check reads what follows the end of a tar: only zeros may.
func (z *zeros) check() error {
	if z.run < tarEnd {
		return damaged("tar", io.ErrUnexpectedEOF)
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := z.r.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return &Error{Fault: FaultArchive, Text: "something follows the end of the tar archive: it was refused, because it may hide a second one"}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged("tar", err)
		}
	}
}

// harmless is a name from an archive without what could steer a terminal or turn the text around, and not too long.
func harmless(name string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(name, "\ufffd"))
	return clip(clean, maxNameText)
}
