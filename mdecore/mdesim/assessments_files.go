package mdesim

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// devicesPerFile is how many devices the rows of one exported file come from.
const devicesPerFile = 5000

// filesResponse is the exportFiles resource.
type filesResponse struct {
	Context       string    `json:"@odata.context"`
	ExportFiles   []string  `json:"exportFiles"`
	GeneratedTime time.Time `json:"generatedTime"`
}

// links answers an export to files: it packs what the tenant holds now, where the
// real service keeps a snapshot that is some hours old.
func (e export) links(c *call) response {
	hours, err := e.readHours(c.r.URL.Query())
	if err != nil {
		return c.t.problem(http.StatusBadRequest, "InvalidInput", err.Error())
	}
	t, now := c.t, c.t.now().Truncate(time.Second)
	t.mu.Lock()
	t.assessments.exports++
	number := t.assessments.exports
	t.mu.Unlock()
	out := filesResponse{Context: c.metadata(e.metadataOf(false)), ExportFiles: []string{}, GeneratedTime: now}
	out.Context = strings.Replace(out.Context, e.resource, "ExportFilesResponse", 1)
	for i, devices := range parts(t.snapshot()) {
		key := fmt.Sprintf("mdesim/%d/export/%d", t.Seed, number)
		name := fmt.Sprintf("tvm-export/%s/%s/json/OrgId=%s/_RbacGroupId=%d/part-%05d-%s.c000.json.gz",
			now.Format("2006-01-02/1504"), e.folder, t.ID, devices[0].RBACGroupID, i, guidOf(hash64(key), hash64(key+"/2")))
		out.ExportFiles = append(out.ExportFiles, c.link(blob{
			name: name, contentType: "application/octet-stream", modified: now, open: func() io.ReadSeeker { return e.packed(t, devices) },
		}, time.Duration(hours)*time.Hour))
	}
	return t.ok(http.StatusOK, out)
}

// readHours reads sasValidHours. The page's own example writes a dollar sign
// before it, which the parameter list does not have: it is refused.
func (e export) readHours(values url.Values) (int, error) {
	for name := range values {
		if strings.HasPrefix(name, "$") {
			return 0, fmt.Errorf("the query option '%s' is not supported", name)
		}
	}
	if !values.Has("sasValidHours") {
		return e.hours, nil
	}
	return between("sasValidHours", values.Get("sasValidHours"), e.maxHours)
}

// parts divides devices into those of one file each: by group, and no more than
// a file takes. Two devices or more make two files at least, because a client
// that reads only the first one is wrong.
func parts(all []*device) [][]*device {
	devices := slices.Clone(all)
	slices.SortStableFunc(devices, func(a, b *device) int { return cmp.Compare(a.RBACGroupID, b.RBACGroupID) })
	size := min(devicesPerFile, max(1, (len(devices)+1)/2))
	var out [][]*device
	for len(devices) > 0 {
		group, n := devices[0].RBACGroupID, 1
		for n < len(devices) && n < size && devices[n].RBACGroupID == group {
			n++
		}
		out = append(out, devices[:n:n])
		devices = devices[n:]
	}
	return out
}

// packed writes the rows of some devices as gzipped lines of JSON. It is made
// anew each time it is read, because a large tenant's files are not to be kept.
func (e export) packed(t *Tenant, devices []*device) io.ReadSeeker {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	enc := json.NewEncoder(zip)
	enc.SetEscapeHTML(false)
	for _, d := range devices {
		for _, row := range e.rows(t, d, time.Time{}) {
			if err := enc.Encode(row); err != nil {
				// Every row is one of this package's own types, and a buffer takes everything.
				panic("mdesim: " + err.Error())
			}
		}
	}
	_ = zip.Close()
	return bytes.NewReader(buf.Bytes())
}
