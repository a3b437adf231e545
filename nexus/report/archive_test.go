package report_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus/report"
)

func report1() entry { return entry{fileName, []byte(allSections)} }

func inTar(t testing.TB, entries ...entry) []byte { return gzipped(t, tarred(t, entries...)) }

func inZip(t testing.TB, entries ...entry) []byte {
	return gzipped(t, tarred(t, entry{"result.zip", zipped(t, entries...)}))
}

func TestWhichFileIsTheReport(t *testing.T) {
	other := entry{"other.json", []byte(`{"scanList": [{"type": "wrong"}]}`)}
	for name, c := range map[string]struct {
		files []entry
		want  string
	}{
		"the one with the name":          {[]entry{report1()}, fileName},
		"in a directory":                 {[]entry{{"./out/" + fileName, []byte(allSections)}}, "./out/" + fileName},
		"with the node's name":           {[]entry{other, {"MDE-Agent-Information-node1.JSON", []byte(allSections)}}, "MDE-Agent-Information-node1.JSON"},
		"the name counts, after another": {[]entry{other, report1()}, fileName},
		"the name counts, before others": {[]entry{report1(), other, {"broken.json", []byte("{")}}, fileName},
		"the only one that reads like a report": {
			[]entry{{"meta.json", []byte(`{"a": 1}`)}, {"node1.json", []byte(allSections)}, {"broken.json", []byte("{")}, {"a.txt", nil}},
			"node1.json",
		},
		"a name that turns text around": {[]entry{{"\x1b[31m\u202eno\xffde.json", []byte(allSections)}}, "\ufffd[31m\ufffdno\ufffdde.json"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, packed := range [][]byte{inTar(t, c.files...), inZip(t, c.files...)} {
				r := read(t, packed)
				require.Equal(t, c.want, r.Name)
				require.Empty(t, r.Scans)
				require.Empty(t, r.Missing)
			}
		})
	}
}

func TestArchivesWithoutAReport(t *testing.T) {
	many := []entry{{"a\x1b.txt", nil}}
	for i := range 9 {
		many = append(many, entry{fmt.Sprintf("%d.log", i), nil})
	}
	for _, packed := range [][]byte{inTar(t, many...), inZip(t, many[:8]...)} {
		text := refusal(t, report.FaultNone, packed)
		require.Contains(t, text, "the agent may not run")
		require.Contains(t, text, "a\ufffd.txt")
		require.NotContains(t, text, "5.log", "five names are enough")
	}
	require.Less(t, len(refusal(t, report.FaultNone, inTar(t, entry{strings.Repeat("é", 10_000), nil}))), 500)
	require.Contains(t, refusal(t, report.FaultNone, inTar(t)), "the archive is empty")
	require.Contains(t, refusal(t, report.FaultNone, inTar(t, entry{"out/", nil})), "the archive is empty")
	require.Contains(t, refusal(t, report.FaultNone, zipped(t)), "the archive is empty")
	require.Contains(t, refusal(t, report.FaultNone, zipped(t, entry{"a.zip", zipped(t, report1())})), `has ["a.zip"]`, "a zip in a zip is not looked into")
	require.Contains(t, refusal(t, report.FaultCut, inTar(t, entry{fileName, []byte(`{"scanList": [`)})), "after 14 bytes")
	require.Contains(t, refusal(t, report.FaultCut, inTar(t, entry{"x.json", []byte(`{"scanList": [`)})), "after 14 bytes")
	require.Contains(t, refusal(t, report.FaultInvalid, inZip(t, entry{fileName, []byte(`hello`)})), "instead of")
	require.Contains(t, refusal(t, report.FaultInvalid, gzipped(t, []byte("hello"))), "instead of")
}

func TestTwoReportsInOneArchive(t *testing.T) {
	second := entry{"b/" + fileName, []byte(allSections)}
	for _, packed := range [][]byte{
		inTar(t, report1(), second),
		inZip(t, report1(), second),
		inTar(t, report1(), entry{"a.zip", zipped(t, report1())}),
		inTar(t, entry{"a.zip", zipped(t, report1())}, entry{"b.zip", zipped(t, report1())}),
		inTar(t, entry{"a.json", []byte(allSections)}, entry{"c.json", nil}, entry{"b.json", []byte(allSections)}),
	} {
		require.Contains(t, refusal(t, report.FaultInvalid, packed), "has two reports")
	}
}

func TestNamesThatLeadOut(t *testing.T) {
	for _, name := range []string{"../a", "a/../../b", "/etc/passwd", `..\a`, `a\..\b`, `\a`, `C:\a`, "c:a", "..", "a/..", "//h/a", "../" + fileName} {
		for form, packed := range map[string][]byte{
			"before":   inTar(t, entry{name, nil}, report1()),
			"after":    inTar(t, report1(), entry{name, nil}),
			"in a zip": inZip(t, report1(), entry{name, nil}),
		} {
			require.Contains(t, refusal(t, report.FaultTraversal, packed), "look at the node", "%s %s", name, form)
		}
	}
	for _, name := range []string{"..a", "a..b/c", "...", "a/.b"} {
		read(t, inTar(t, report1(), entry{name, nil}))
	}
	require.NotContains(t, refusal(t, report.FaultTraversal, inTar(t, entry{"/\u202e\x1b", nil})), "\x1b")
}

func tarWith(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		require.NoError(t, w.WriteHeader(&h))
		_, err := io.CopyN(w, zeroReader{}, h.Size)
		require.NoError(t, err)
	}
	require.NoError(t, w.WriteHeader(&tar.Header{Name: fileName, Size: int64(len(allSections))}))
	_, err := w.Write([]byte(allSections))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestMembersThatAreNoFiles(t *testing.T) {
	for kind, fault := range map[byte]report.Fault{
		tar.TypeSymlink: report.FaultTraversal, tar.TypeLink: report.FaultTraversal,
		tar.TypeChar: report.FaultArchive, tar.TypeBlock: report.FaultArchive, tar.TypeFifo: report.FaultArchive,
	} {
		require.Contains(t, refusal(t, fault, tarWith(t, tar.Header{Name: "a", Linkname: fileName, Typeflag: kind})), "was refused")
	}
	read(t, tarWith(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}))

	for mode, fault := range map[fs.FileMode]report.Fault{fs.ModeSymlink: report.FaultTraversal, fs.ModeNamedPipe: report.FaultArchive, fs.ModeDevice: report.FaultArchive} {
		require.Contains(t, refusal(t, fault, zipWith(t, func(h *zip.FileHeader) { h.SetMode(mode | 0o644) })), "was refused")
	}
	require.Contains(t, refusal(t, report.FaultArchive, zipWith(t, func(h *zip.FileHeader) { h.Flags |= 1 })), "encrypted")
	read(t, zipWith(t, func(h *zip.FileHeader) { h.Name = "directory/"; h.Method = zip.Store }))
}

// zipWith is a zip with a report and another member.
func zipWith(t testing.TB, change func(*zip.FileHeader)) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: "a.txt"}
	change(h)
	_, err := w.CreateHeader(h)
	require.NoError(t, err)
	f, err := w.Create(fileName)
	require.NoError(t, err)
	_, err = f.Write([]byte(allSections))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestArchivesWithTooManyMembers(t *testing.T) {
	files := []entry{report1()}
	for i := range 999 {
		files = append(files, entry{fmt.Sprint(i), nil})
	}
	read(t, inTar(t, files...))
	read(t, zipped(t, files...))
	read(t, inTar(t, entry{"a.zip", zipped(t, files[:999]...)}))
	one := entry{"one", nil}
	for _, packed := range [][]byte{inTar(t, append(files, one)...), zipped(t, append(files, one)...), inTar(t, entry{"a.zip", zipped(t, files...)})} {
		require.Contains(t, refusal(t, report.FaultTooLarge, packed), "more than 1000 members")
	}
	// A small number at the end of a large directory: archive/zip reads all of it, whatever the number.
	for i := range 20_000 {
		files = append(files, entry{fmt.Sprint(i), nil})
	}
	large := zipped(t, files...)
	copy(large[len(large)-12:], []byte{1, 0})
	require.Contains(t, refusal(t, report.FaultTooLarge, large), "a directory of more than 1 MB")
	// A directory of 65,535 bytes: archive/zip looks for another one, of any size.
	copy(large[len(large)-10:], binary.LittleEndian.AppendUint32([]byte{0xff, 0xff, 0, 0}, uint32(len(large)-22-0xffff)))
	require.Contains(t, refusal(t, report.FaultArchive, large), "not where its end says")
}

// A bomb is seen while it is read: a reader that would go on for ever is left.
func TestBombs(t *testing.T) {
	const limit = 1 << 20
	bomb := gzipped(t, bytes.Repeat([]byte(" "), 10*limit))
	small := report.Limits{Unpacked: limit}
	for form, packed := range map[string][]byte{
		"JSON":                             bomb,
		"the report":                       inTar(t, entry{fileName, bytes.Repeat([]byte(" "), 2*limit)}),
		"another member":                   inTar(t, report1(), entry{"big", make([]byte, 2*limit)}),
		"all members together":             inTar(t, report1(), entry{"a", make([]byte, limit/2)}, entry{"b", make([]byte, limit/2)}),
		"the report in a zip":              inZip(t, entry{fileName, bytes.Repeat([]byte(" "), 2*limit)}),
		"another member of a zip":          inZip(t, report1(), entry{"big", make([]byte, 2*limit)}),
		"all members of a zip":             inZip(t, report1(), entry{"a", make([]byte, limit/2)}, entry{"b", make([]byte, limit/2)}),
		"two zips together":                inTar(t, entry{"a.zip", zipped(t, entry{"a", make([]byte, limit/2)})}, entry{"b.zip", zipped(t, entry{"a", make([]byte, limit/2)}, report1())}),
		"what follows a tar":               gzipped(t, append(tarred(t, report1()), make([]byte, 2*limit)...)),
		"a zip that lies in its directory": lying(t, zipped(t, entry{fileName, []byte(allSections + strings.Repeat(" ", 2*limit))})),
		"names":                            inTar(t, entry{strings.Repeat("a", limit/2), nil}, entry{strings.Repeat("b", limit/2), nil}, report1()),
	} {
		t.Run(form, func(t *testing.T) {
			r, err := report.Read(bytes.NewReader(packed), small)
			require.Nil(t, r)
			var failed *report.Error
			require.ErrorAs(t, err, &failed)
			if strings.Contains(form, "lies") {
				require.Contains(t, []report.Fault{report.FaultArchive, report.FaultTooLarge}, failed.Fault)
				return
			}
			require.Equal(t, report.FaultTooLarge, failed.Fault, failed.Text)
			require.Contains(t, failed.Text, "more than 1 MB when unpacked")
		})
	}

	endless := &counted{r: io.MultiReader(bytes.NewReader(bomb[:len(bomb)-8]), zeroReader{})}
	_, err := report.Read(endless, report.Limits{Packed: 1 << 20, Unpacked: limit})
	require.Error(t, err)
	require.Less(t, endless.n, int64(2<<20))
}

// lying makes the members of a zip smaller in its directory than they are.
func lying(t testing.TB, packed []byte) []byte {
	t.Helper()
	i := bytes.LastIndex(packed, []byte("PK\x01\x02"))
	require.Positive(t, i)
	copy(packed[i+24:], []byte{1, 0, 0, 0})
	return packed
}

type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func TestLimitsAreExact(t *testing.T) {
	data := []byte(allSections)
	n := int64(len(data))
	for name, c := range map[string]struct {
		limits report.Limits
		packed []byte
		text   string
	}{
		"packed":        {report.Limits{Packed: n}, data, ""},
		"packed + 1":    {report.Limits{Packed: n - 1}, data, "bytes when packed"},
		"unpacked":      {report.Limits{Unpacked: n}, gzipped(t, data), ""},
		"unpacked + 1":  {report.Limits{Unpacked: n - 1}, gzipped(t, data), "bytes when unpacked"},
		"of a zip":      {report.Limits{Unpacked: n}, gzipped(t, zipped(t, report1())), "bytes when unpacked"},
		"no limits":     {report.Limits{Packed: -1, Unpacked: -1}, data, ""},
		"packed tar.gz": {report.Limits{Packed: int64(len(inTar(t, report1()))) - 1}, inTar(t, report1()), "bytes when packed"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.text == "" {
				_, err := report.Read(bytes.NewReader(c.packed), c.limits)
				require.NoError(t, err)
				return
			}
			require.Contains(t, refusalWith(t, report.FaultTooLarge, c.packed, c.limits), c.text)
		})
	}
}

func TestWhatFollowsAnArchive(t *testing.T) {
	for form, packed := range map[string][]byte{
		"gzip":       append(gzipped(t, []byte(allSections)), "garbage after it"...),
		"tar.gz":     append(inTar(t, report1()), "x"...),
		"tar":        append(tarred(t, report1()), "x"...),
		"second tar": gzipped(t, append(tarred(t, report1()), tarred(t, report1())...)),
		"zip":        append(zipped(t, report1()), "x"...),
		"zip in tar": inTar(t, entry{"a.zip", append(zipped(t, report1()), zipped(t)...)}),
		"before zip": inTar(t, entry{"a.zip", append([]byte("xx"), zipped(t, report1())...)}),
	} {
		t.Run(form, func(t *testing.T) { refusal(t, report.FaultArchive, packed) })
	}
	read(t, append(tarred(t, report1()), make([]byte, 9000)...))
	half := len(allSections) / 2
	read(t, append(gzipped(t, []byte(allSections[:half])), gzipped(t, []byte(allSections[half:]))...))
}

func TestDamagedArchives(t *testing.T) {
	for _, packed := range [][]byte{inTar(t, report1()), gzipped(t, []byte(allSections)), gzipped(t, zipped(t, report1())), zipped(t, report1())} {
		flipped := bytes.Clone(packed)
		flipped[len(flipped)/3] ^= 0xff
		require.Contains(t, refusal(t, report.FaultArchive, flipped), "collect the report again", "what comes out is no JSON, because it is damaged")
	}

	for _, packed := range [][]byte{stored(t), storedZip(t)} {
		broken := bytes.Replace(packed, []byte("scanList"), []byte("scan\"ist"), 1)
		require.Contains(t, refusal(t, report.FaultArchive, broken), "is damaged", "it is known at the end only, by the checksum")
	}
	cut := tarWith(t, tar.Header{Name: "../a"})
	refusal(t, report.FaultTraversal, gzipped(t, cut)[:len(gzipped(t, cut))-4])

	wrongSum := gzipped(t, []byte(allSections))
	wrongSum[len(wrongSum)-8] ^= 1
	require.Contains(t, refusal(t, report.FaultArchive, wrongSum), "the gzip archive is damaged")

	wrongSum = zipped(t, report1())
	sum := bytes.LastIndex(wrongSum, []byte("PK\x01\x02")) + 16
	wrongSum[sum] ^= 1
	require.Contains(t, refusal(t, report.FaultArchive, wrongSum), "the zip archive is damaged")

	method := zipped(t, report1())
	method[bytes.LastIndex(method, []byte("PK\x01\x02"))+10] = 99
	require.Contains(t, refusal(t, report.FaultArchive, method), "the zip archive is damaged")

	require.Contains(t, refusal(t, report.FaultArchive, inTar(t, entry{"a.zip", []byte("no zip")})), "zip")
	require.Contains(t, refusal(t, report.FaultArchive, []byte("\x1f\x8bx")), "the gzip archive is cut")
}

// stored is a gzip that packs nothing.
func stored(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.NoCompression)
	require.NoError(t, err)
	_, err = w.Write([]byte(allSections))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// storedZip is a zip that packs nothing.
func storedZip(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	member, err := w.CreateHeader(&zip.FileHeader{Name: fileName, Method: zip.Store})
	require.NoError(t, err)
	_, err = member.Write([]byte(allSections))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// An error of the caller's reader stays what it is: it may be a cancelled context, or a link that has expired.
func TestErrorsOfTheReaderStay(t *testing.T) {
	broken := errors.New("the link has expired")
	for form, packed := range packings(t, []byte(allSections)) {
		for _, cut := range []int{0, 1, 3, len(packed) / 2, len(packed)} {
			for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
				r, err := report.Read(io.MultiReader(bytes.NewReader(packed[:cut]), iotest.ErrReader(cause)), report.Limits{})
				require.Nil(t, r)
				require.Equal(t, cause, err, "%s at %d", form, cut)
			}
		}
	}
	_, err := report.Read(idle{}, report.Limits{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// idle never gives anything.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }
