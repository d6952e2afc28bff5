package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// dorisCases load sysbench's table into what stands in for Doris, as stock and as changes. It
// counts rows and keeps none, in the bench's own process: the product's CPU and memory are
// measured, and the wall time is that of both.
func dorisCases() []*benchCase {
	stock := *snapshotCases()[0]
	stock.name, stock.sink = "doris/stock/sbtest", "doris"
	stock.goals = []goal{{name: "cpu_us_per_row", limit: 1.5}, {name: "peak_mib", limit: 600}}
	i := slices.IndexFunc(tailCases(), func(c *benchCase) bool { return c.name == "tail/iceberg/narrow-insert" })
	changes := *tailCases()[i]
	log := *changes.log
	log.reads = readDoris
	changes.name, changes.sink, changes.log = "doris/changes/narrow", "doris", &log
	changes.goals = []goal{{name: "cpu_us_per_row", limit: 3}, {name: "peak_mib", limit: 600}}
	return []*benchCase{&stock, &changes}
}

func anyDoris(cases []*benchCase) bool {
	return slices.ContainsFunc(cases, func(c *benchCase) bool { return c.sink == "doris" })
}

// Loads are of the size that Doris advises: of several MB, and not of many GB.
const (
	leastLoad = 4 << 20
	mostLoad  = 1 << 30
)

// dorisProduct has the product write to the stand-in, each run to a database of its own.
func (e *env) dorisProduct(command func(sink string) []string) *contender {
	var before doristest.Discarded
	runs := 0
	return &contender{
		name: "product",
		argv: func(string) []string {
			before = e.doris.Discarded()
			runs++
			_, port, _ := net.SplitHostPort(e.doris.SQL())
			return command(fmt.Sprintf("doris://root@%s/run%d?query-port=%s", strings.Join(e.doris.Frontends(), ","), runs, port))
		},
		check: func(string, []byte) (report, error) {
			now := e.doris.Discarded()
			r := report{Rows: now.Rows - before.Rows, Bytes: now.Bytes - before.Bytes}
			loads := now.Loads - before.Loads
			if loads == 0 {
				return r, errors.New("nothing was loaded")
			}
			if mean := r.Bytes / loads; mean < leastLoad || now.Largest > mostLoad {
				return r, fmt.Errorf("%d loads of %d bytes, the largest of %d", loads, mean, now.Largest)
			}
			return r, nil
		},
	}
}

func (e *env) dorisStock(c *benchCase, rows int64) *contender {
	return e.dorisProduct(func(sink string) []string {
		return []string{
			e.product, "snapshot", "mysql://root@" + e.addr + "/" + database(rows), sink,
			"--tables", c.table, "--parallel", strconv.Itoa(e.opts.connections), "--quiet",
		}
	})
}

func (e *env) dorisChanges(c *benchCase, rows int64, r logRange) *contender {
	return e.dorisProduct(func(sink string) []string {
		return []string{
			e.product, "tail", "mysql://root@" + e.addr + "/" + logDatabase(rows), sink, "--tables", c.table, "--quiet",
			"--start", "gtid:" + r.from.gtid, "--until", "gtid:" + r.to.gtid,
		}
	})
}

func (e *env) startDoris(context.Context) (err error) {
	e.doris, err = doristest.Start(doristest.Options{Discard: true, Backends: 2})
	return err
}
