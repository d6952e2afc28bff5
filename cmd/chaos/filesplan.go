package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The stores of plain files, beside s3.
const (
	local store = "file"
	hdfs  store = "hdfs"
)

// The faults of a store of plain files that is a server.
const (
	storeCut    fault = "store-cut" // its connections
	storeFreeze fault = "store-freeze"
	storeRefuse fault = "store-refuse"
)

// filesSteps are those of plain files at which a process can be told to kill itself.
var filesSteps = []string{"rows written", "commit sent", "commit landed", "published", "tidied", "dead run discarded"}

// A filesPlan is what a seed decides of plain files, and of what brings them.
type filesPlan struct {
	command     string // snapshot, tail or dump
	latest      bool   // --latest
	store       store
	format      string
	compression string // "": the format's own
	header      bool
	layout      []string // of folders
	small       bool     // files
}

func newFilesPlan(seed uint64) *filesPlan {
	r := rand.New(rand.NewPCG(seed, 0x66696c6573))
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	f := &filesPlan{
		command: one("snapshot", "snapshot", "snapshot", "tail", "tail", "tail", "tail", "dump", "dump", "dump"),
		store:   []store{local, local, local, s3, s3, hdfs, hdfs}[r.IntN(7)],
		format:  one("parquet", "csv", "tsv", "jsonl"), small: r.IntN(4) == 0,
	}
	f.latest = f.command != "snapshot" && r.IntN(2) == 0
	if f.compression = one("", "none", "gzip", "zstd"); f.format == "parquet" {
		f.compression = one("", "none", "gzip", "snappy", "zstd:1")
	}
	f.header = (f.format == "csv" || f.format == "tsv") && r.IntN(2) == 0
	bank := []string{"pairs: p_a=a", "pairs: place=b", "scratch: p_v=v", "ledger: p_delta=delta"}
	shop := []string{"orders: dt=day(placed), hour=hour(placed)", "orders: month(placed)", "lines: p_line=line", "lines: p_n=n", "wide: p_c7=c7", "slips: p_s=s"}
	if f.command != "snapshot" {
		shop = nil
	}
	switch r.IntN(3) {
	case 0:
		f.layout = []string{one("dt=day(@commit)", "dt=day(@commit), hour=hour(@commit)", "y=year(@commit), month(@commit)")}
	case 1:
		f.layout = []string{one(append(bank, shop...)...), one("idle: p_v=v", "accounts: month(@commit)")}
	}
	return f
}

// flags are those of a command line on which that of the format has some name. A nil plan
// has none.
func (f *filesPlan) flags(format string) (flags []string) {
	if f == nil {
		return nil
	}
	flags = []string{format, f.format}
	if f.compression != "" {
		flags = append(flags, "--compression", f.compression)
	}
	if f.header {
		flags = append(flags, "--header")
	}
	for _, l := range f.layout {
		flags = append(flags, "--partition", l)
	}
	if f.small {
		flags = append(flags, "--target-file-size", "1MiB")
	}
	return flags
}

// follows are the flags of one that follows changes: of a lake, with those in place of a
// lake's.
func (f *filesPlan) follows(of []string, format string, form form) []string {
	flags := append(stripped(of), f.flags(format)...)
	if f.latest {
		flags = append(flags, "--latest")
	}
	if form == appended {
		flags = append(flags, "--keyless", "append")
	}
	return flags
}

// name is what the seed chose, in short.
func (f *filesPlan) name() string {
	words := []string{string(f.store), f.command, f.format}
	if f.latest {
		words[1] += " --latest"
	}
	if f.compression != "" {
		words[2] += "." + f.compression
	}
	for _, l := range f.layout {
		words = append(words, strings.ReplaceAll(l, ", ", "+"))
	}
	return strings.Join(words, ",")
}

// into has the changes of a plan go to plain files.
func (p *plan) into(f *filesPlan) {
	r := rand.New(rand.NewPCG(p.seed, 0x696e746f))
	p.files, p.rest = f, false
	switch {
	case !f.latest:
		p.form, p.loose, p.copied = changelog, false, false
	case p.form == changelog:
		p.form = keyed
	}
	p.timeline = slices.DeleteFunc(p.timeline, func(e event) bool { return slices.Contains(ofCatalogs, e.fault) })
	if f.store != local {
		for range r.IntN(3) {
			p.timeline = append(p.timeline, event{
				at: 300*time.Millisecond + rand64(r, p.length-500*time.Millisecond), fault: f.cut(r), last: 100*time.Millisecond + rand64(r, time.Second),
			})
		}
		slices.SortStableFunc(p.timeline, func(a, b event) int { return int(a.at - b.at) })
	}
}

// cut is something that befalls connections to the store.
func (f *filesPlan) cut(r *rand.Rand) fault {
	return []fault{storeCut, storeCut, storeFreeze, storeRefuse}[r.IntN(4)]
}

// kills are steps at which processes die in turn.
func (f *filesPlan) kills(r *rand.Rand) (kills []string) {
	for range r.IntN(5) {
		step := ""
		if r.IntN(5) > 0 {
			step = fmt.Sprintf("%s:%d", filesSteps[r.IntN(len(filesSteps))], 1+r.IntN(1+r.IntN(24)))
		}
		kills = append(kills, step)
	}
	return kills
}

// ofLakes are the flags that say what changes become in a lake, and how it lies there; those
// but the first take a value.
var ofLakes = []string{"--changelog", "--keyless", "--format-version", "--sort", "--partition", "--target-file-size"}

// stripped takes those flags from a command line.
func stripped(flags []string) (left []string) {
	for i := 0; i < len(flags); i++ {
		switch n := slices.Index(ofLakes, flags[i]); {
		case n < 0:
			left = append(left, flags[i])
		case n > 0:
			i++
		}
	}
	return left
}

// tailPlan is that of a run of the job tail.
func (f *filesPlan) tailPlan(seed uint64, xa bool) plan {
	p := newPlan(seed, xa)
	p.into(f)
	p.kills = f.kills(rand.New(rand.NewPCG(seed, 0x7461696c)))
	p.flags = f.follows(p.flags, "--format", p.form)
	return p
}

// topicPlan is that of a run by way of topics.
func (f *filesPlan) topicPlan(seed uint64, xa bool) topicPlan {
	p := newTopicPlan(seed, xa)
	p.into(f)
	r := rand.New(rand.NewPCG(seed, 0x64756d70))
	for i := range p.members {
		p.members[i].kills = f.kills(r)
	}
	p.memberFlags = f.follows(p.memberFlags, "--file-format", p.form)
	return p
}

// copyPlan is that of a run of the job snapshot.
func (f *filesPlan) copyPlan(seed uint64, first, steps []string) copyPlan {
	p := newCopyPlan(seed, first, steps)
	p.files, p.service, p.store = f, mysql, folder
	p.flags = append(stripped(p.flags), f.flags("--format")...)
	r := rand.New(rand.NewPCG(seed, 0x636f7079))
	if f.store != local && r.IntN(2) == 0 {
		at := r.IntN(len(p.attempts) + 1)
		p.attempts = slices.Insert(p.attempts, at, attempt{fault: f.cut(r), at: 0.75 * r.Float64(), last: 100*time.Millisecond + rand64(r, time.Second)})
	}
	return p
}
