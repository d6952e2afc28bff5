package binlog

// A system-versioned table of MariaDB keeps rows that were, and the log tells
// of them: a deletion is an update that ends a row's period, and an update is
// followed by the insertion of what was. Only rows whose period has not ended
// are the table's rows; history is dropped here.

func (d *Decoder) isCurrent(p []byte, at []span) bool {
	s := at[d.rowEnd]
	return s.start >= 0 && current(p[s.start:s.end])
}

func (d *Decoder) insertVersion(p []byte, i int) (int, error) {
	end, err := d.frame(p, i, d.after, len(d.fields))
	if err != nil || !d.isCurrent(p, d.after) {
		return end, err
	}
	return d.insert(p, i)
}

func (d *Decoder) deleteVersion(p []byte, i int) (int, error) {
	end, err := d.frame(p, i, d.before, len(d.fields))
	if err != nil || !d.isCurrent(p, d.before) {
		return end, err
	}
	return d.delete(p, i)
}

func (d *Decoder) updateVersion(p []byte, i int) (int, error) {
	mid, err := d.frame(p, i, d.before, len(d.fields))
	if err != nil {
		return 0, err
	}
	end, err := d.frame(p, mid, d.after, len(d.fields))
	if err != nil {
		return 0, err
	}
	was, is := d.isCurrent(p, d.before), d.isCurrent(p, d.after)
	switch {
	case was && is:
		return d.update(p, i)
	case was:
		_, err = d.delete(p, i)
	case is:
		_, err = d.insert(p, mid)
	}
	return end, err
}
