package evidence

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

// digits are Crockford's base32: no letter is taken for a digit. They are in the order of their codes, so that ids sort.
const digits = "0123456789abcdefghjkmnpqrstvwxyz"

const (
	timeDigits   = 10
	randomDigits = 10
	lastMilli    = int64(1)<<(5*timeDigits) - 1
)

// newID makes an id whose order is the reverse of time, so that a list begins with the newest.
func newID(at time.Time) string {
	var b [timeDigits + randomDigits]byte
	for i, v := timeDigits-1, lastMilli-at.UnixMilli(); i >= 0; i, v = i-1, v>>5 {
		b[i] = digits[v&31]
	}
	var noise [randomDigits]byte
	_, _ = rand.Read(noise[:]) // never fails: crypto/rand ends the program instead
	for i, n := range noise {
		b[timeDigits+i] = digits[n&31]
	}
	return string(b[:])
}

// ValidID reports whether s has the form of an evidence id.
func ValidID(s string) bool {
	_, err := idTime(s)
	return err == nil
}

// idTime is the moment that an id was made.
func idTime(id string) (time.Time, error) {
	var v int64
	if len(id) != timeDigits+randomDigits {
		return time.Time{}, fmt.Errorf("%q is not an evidence id (%d letters and digits)", clip(id), timeDigits+randomDigits)
	}
	for i := range len(id) {
		d := strings.IndexByte(digits, id[i])
		if d < 0 {
			return time.Time{}, fmt.Errorf("%q is not an evidence id (lower-case letters and digits)", clip(id))
		}
		if i < timeDigits {
			v = v<<5 | int64(d)
		}
	}
	return time.UnixMilli(lastMilli - v).UTC(), nil
}
