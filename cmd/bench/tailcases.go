package main

import (
	"context"
	"fmt"
)

// A logCase is what makes a case one of the binary log: what is written there
// beforehand, and how it is read.
type logCase struct {
	// stages are written one after another, each between two rotations of the
	// log. The last one is measured, the others are in the lake by then.
	stages []stage
	reads  reads
	// sums are SQL that the source and the lake must answer alike.
	sums string
	// flags are those that the product's command has beside the others.
	flags []string
}

// A stage is a part of the workload that is read in one go.
type stage struct {
	name    string
	write   func(*logWriter, context.Context) error
	changes int64 // how many a row sees in it
}

// reads says what the product does with the log.
type reads uint8

const (
	readDecode  reads = iota // rows into batches, which are thrown away
	readIceberg              // tail into a lake
	readLive                 // tail into a lake while the log is being written
	readDoris                // tail into Doris
	readTopic                // tail into a topic, and that into a lake
)

const (
	narrowSums = "COUNT(*), SUM(id), SUM(k), SUM(LENGTH(c)), SUM(LENGTH(pad))"
	wideSums   = "COUNT(*), SUM(id), SUM(quantity), SUM(unit_price), SUM(total), COUNT(note), SUM(LENGTH(note)), SUM(priority), COUNT(DISTINCT status)"
)

// wideUpdate changes eight of the eighteen columns, none of the key.
const wideUpdate = `quantity=quantity+1, unit_price=unit_price+0.25, total=total+1.50, status='returned', priority=(priority+1)%5,
	note=CONCAT('changed ', id), ship_date='2026-01-02', updated_at=updated_at+INTERVAL 1 DAY`

var (
	stageInsert = stage{"insert", (*logWriter).insertAll, 1}
	stageUpdate = stage{"update", (*logWriter).updateAll, 1}
	stageBoth   = stage{"both", (*logWriter).bothAtOnce, 2}
)

// tailCases are the cases of the log. Narrow is sysbench's table, wide that of
// order lines, as in the cases of snapshots.
func tailCases() []*benchCase {
	list := []*benchCase{}
	for _, to := range []struct {
		name                 string
		reads                reads
		narrow, wide, update float64
	}{
		{"decode", readDecode, 0.6, 1.3, 2.5},
		{"iceberg", readIceberg, 2.0, 3.5, 6.0},
	} {
		goals := func(cpu float64) []goal {
			g := []goal{{name: "cpu_us_per_row", limit: cpu}, {name: "peak_mib", limit: 600}}
			if to.reads == readDecode {
				g = append(g, goal{name: "go-mysql", limit: 1, least: true}, goal{name: "go-mysql_cpu", limit: 1})
			}
			return g
		}
		list = append(
			list,
			&benchCase{
				name: "tail/" + to.name + "/narrow-insert", table: "narrow_insert", rows: 2_000_000,
				ddl: sbtestDDL, row: sbtestRow, goals: goals(to.narrow),
				log: &logCase{stages: []stage{stageInsert}, reads: to.reads, sums: narrowSums},
			},
			&benchCase{
				name: "tail/" + to.name + "/wide-insert", table: "wide_insert", rows: 1_000_000,
				ddl: ordersDDL, row: ordersRow, goals: goals(to.wide),
				log: &logCase{stages: []stage{stageInsert}, reads: to.reads, sums: wideSums},
			},
			&benchCase{
				name: "tail/" + to.name + "/wide-update", table: "wide_update", rows: 500_000,
				ddl: ordersDDL, row: ordersRow, goals: goals(to.update),
				log: &logCase{stages: []stage{stageInsert, stageUpdate}, reads: to.reads, sums: wideSums},
			},
		)
	}
	return append(
		list,
		&benchCase{
			name: "tail/big-transaction", table: "big_transaction", rows: 1_000_000,
			ddl: ordersDDL, row: ordersRow, goals: []goal{{name: "peak_mib", limit: 600}},
			log: &logCase{stages: []stage{stageBoth}, reads: readIceberg, sums: wideSums},
		},
		&benchCase{
			name: "tail/lag", table: "steady", rows: 60 * lagRate,
			ddl: sbtestDDL, row: sbtestRow,
			goals: []goal{{name: "lag_max_s", limit: 2 * lagInterval.Seconds()}, {name: "peak_mib", limit: 600}},
			log:   &logCase{reads: readLive, sums: narrowSums},
		},
	)
}

// changesPerRow is how often a row occurs in the stage that is measured.
func (l *logCase) changesPerRow() int64 { return l.stages[len(l.stages)-1].changes }

// logDatabase names the database with the tail cases' tables of so many rows.
func logDatabase(rows int64) string { return fmt.Sprintf("bench_tail_%d", rows) }
