package batch

// Cut drops what was appended behind the first n rows, which EndRow has ended: rows,
// and values of one that is not complete. bytes is what the n rows weigh.
func (b *Builder) Cut(n, bytes int) {
	for _, c := range b.Columns {
		c.cut(n)
	}
	b.rows, b.bytes = n, bytes
}

// cut takes the marks of rows from n up to end back, since rows are valid until they are
// marked.
func (v *validity) cut(n, end int) {
	if v.bits == nil {
		return
	}
	for i := n; i < end && i>>3 < len(v.bits); i++ {
		if bit := byte(1) << (i & 7); v.bits[i>>3]&bit == 0 {
			v.bits[i>>3] |= bit
			v.nulls--
		}
	}
}

func (c *Fixed[T]) cut(n int) {
	if n < c.n {
		c.validity.cut(n, c.n)
		c.n = n
	}
}

func (c *Bytes) cut(n int) {
	if n < c.n {
		c.validity.cut(n, c.n)
		c.n, c.used = n, int(c.offs[n])
	}
}

func (c *Bools) cut(n int) {
	if n < c.n {
		c.validity.cut(n, c.n)
		c.n = n
	}
}

func (c *FloatList) cut(n int) {
	c.begin()
	if n < c.n {
		c.validity.cut(n, c.n)
		c.n = n
		c.offs.n = n + 1
	}
	c.items.cut(int(c.offs.vals[n])) // and those of a list that has not ended
}
