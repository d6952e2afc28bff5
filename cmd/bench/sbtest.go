package main

import (
	"math"
	"math/rand/v2"
	"strconv"
)

// sbtestDDL is the table of sysbench 1.0's oltp_* tests. Its index on k comes
// after the rows, as sysbench does it.
const sbtestDDL = `id int NOT NULL AUTO_INCREMENT, k int NOT NULL DEFAULT 0,
	c char(120) NOT NULL DEFAULT '', pad char(60) NOT NULL DEFAULT '', PRIMARY KEY (id)`

var sbtestColumns = []column{{"id", kindInt32}, {"k", kindInt32}, {"c", kindString}, {"pad", kindString}}

// random is the source of the rows of one chunk.
type random struct{ *rand.Rand }

// newRandom seeds by chunk, so that the rows do not depend on who loads which.
func newRandom(chunk int64) *random {
	return &random{rand.New(rand.NewPCG(20, uint64(chunk)))}
}

// digits appends n random digits, n at most 18.
func (r *random) digits(dst []byte, n int) []byte {
	v := r.Uint64N(1e18)
	for range n {
		dst = append(dst, byte('0'+v%10))
		v /= 10
	}
	return dst
}

func (r *random) groups(dst []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = r.digits(dst, 11)
	}
	return dst
}

// sbtestRow appends one row as sysbench fills it: c is ten groups of eleven
// digits, pad five.
func sbtestRow(dst []byte, id, rows int64, rnd *random) []byte {
	dst = strconv.AppendInt(dst, id, 10)
	dst = append(dst, '\t')
	dst = strconv.AppendInt(dst, rnd.special(rows), 10)
	dst = append(dst, '\t')
	dst = rnd.groups(dst, 10)
	dst = append(dst, '\t')
	dst = rnd.groups(dst, 5)
	return append(dst, '\n')
}

// special draws from 1 to n by sysbench's default distribution (--rand-type=
// special, iterations 12, 1 percent of the values hit by 75 percent): a bell of
// twelve uniform draws, and the rest spread over a few values in the middle.
func (r *random) special(n int64) int64 {
	const iterations, percent, hits = 12, 1, 75
	t := float64(n)
	v := r.Float64() * t * 100 / (100 - hits)
	if v < t {
		sum := 0.0
		for range iterations {
			sum += r.Float64()
		}
		return 1 + int64(sum/iterations*t)
	}
	d := max(t*percent/100, 1)
	return min(1+int64(math.Mod(v, d)+t/2-t*percent/200), n)
}
