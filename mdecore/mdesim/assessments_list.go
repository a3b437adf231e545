package mdesim

import "iter"

// cut is the page of a list that a request asks for, and the link to the next
// one. Without $top a page holds size items. Items are made while they are
// needed, because those of these lists cost more than a look at memory.
func (l listing[T]) cut(c *call, items iter.Seq[T], size int) (page []any, next string, err error) {
	o, err := readOptions(c.r.URL.RawQuery, l.expand)
	if err != nil {
		return nil, "", err
	}
	keep, err := l.schema.predicate(o.filter)
	if err != nil {
		return nil, "", err
	}
	if o.hasTop {
		size = min(c.t.PageSize, o.top)
	}
	page, skip, more := []any{}, o.skip, false
	for v := range items {
		if !keep(v) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if more = len(page) == size; more {
			break
		}
		page = append(page, l.wire(v, o.expanded))
	}
	return page, c.nextLink(o, size, more && (!o.hasTop || o.top > size)), nil
}
