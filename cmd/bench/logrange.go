package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/client"
)

// A logRange is where a stage lies in the server's binary log: in files of its
// own, from the first transaction's start to the end of the last.
type logRange struct {
	from, to logPoint
	files    []string
	bytes    int64 // of the files
}

// A logPoint is an end of the log at some moment.
type logPoint struct {
	file string
	pos  int64
	gtid string // executed set
}

// logVersion is raised when a workload changes, so that it is written again.
const logVersion = 1

// logLimit is how big the log may grow before it is emptied and the workloads
// are written anew: nothing else ever purges it.
const logLimit = 8 << 30

// ranges are kept in the server whose log they are about, so that the two can
// only be lost together.
const rangesDDL = `CREATE TABLE IF NOT EXISTS bench_log.ranges (
	row_count bigint, table_name varchar(64), stage varchar(16), version int,
	from_file varchar(255), from_pos bigint, from_gtid text, to_file varchar(255), to_pos bigint, to_gtid text,
	PRIMARY KEY (row_count, table_name, stage))`

// setUpRanges makes room for them. The caller's changes stay out of the log.
func setUpRanges(conn *client.Conn) error {
	if err := execute(
		conn, "SET sql_log_bin=0, time_zone='+00:00'", "SET PERSIST binlog_expire_logs_seconds=0",
		"CREATE DATABASE IF NOT EXISTS bench_log", rangesDDL,
	); err != nil {
		return err
	}
	_, total, err := logFiles(conn, "", "")
	if err != nil || total < logLimit {
		return err
	}
	if err := execute(conn, "TRUNCATE TABLE bench_log.ranges"); err != nil {
		return err
	}
	if err := execute(conn, "RESET BINARY LOGS AND GTIDS"); err == nil {
		return nil
	}
	return execute(conn, "RESET MASTER") // its name before 8.2
}

// logFiles lists the log's files from one to another, "" being the first and the
// last, and their size.
func logFiles(conn *client.Conn, from, to string) (files []string, size int64, err error) {
	res, err := conn.Execute("SHOW BINARY LOGS")
	if err != nil {
		return nil, 0, fmt.Errorf("list binary logs: %w", err)
	}
	for i := range res.RowNumber() {
		name, err := res.GetString(i, 0)
		if err != nil {
			return nil, 0, err
		}
		if name < from || to != "" && name > to {
			continue
		}
		n, err := res.GetInt(i, 1)
		if err != nil {
			return nil, 0, err
		}
		files = append(files, name)
		size += n
	}
	return files, size, nil
}

// logEnd is where the log ends now.
func logEnd(conn *client.Conn) (p logPoint, err error) {
	res, err := conn.Execute("SHOW BINARY LOG STATUS")
	if err != nil {
		res, err = conn.Execute("SHOW MASTER STATUS") // its name before 8.2
	}
	if err != nil {
		return p, fmt.Errorf("ask where the log ends: %w", err)
	}
	var errs [3]error
	p.file, errs[0] = res.GetString(0, 0)
	p.pos, errs[1] = res.GetInt(0, 1)
	if res, err = conn.Execute("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')"); err != nil {
		return p, err
	}
	p.gtid, errs[2] = res.GetString(0, 0)
	return p, errors.Join(errs[:]...)
}

// saveRange notes where a stage lies, between two ends of the log.
func saveRange(conn *client.Conn, table string, rows int64, stage string, from, to logPoint) error {
	_, err := conn.Execute("REPLACE INTO bench_log.ranges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		rows, table, stage, logVersion, from.file, from.pos, from.gtid, to.file, to.pos, to.gtid)
	if err != nil {
		return fmt.Errorf("note where %s of %s lies in the log: %w", stage, table, err)
	}
	return nil
}

// errNotWritten says that a stage is not in the log, or not any more.
var errNotWritten = errors.New("it is not in the log")

// findRange looks up where a stage lies.
func findRange(conn *client.Conn, table string, rows int64, stage string) (r logRange, err error) {
	res, err := conn.Execute(`SELECT from_file, from_pos, from_gtid, to_file, to_pos, to_gtid FROM bench_log.ranges
		WHERE row_count=? AND table_name=? AND stage=? AND version=?`, rows, table, stage, logVersion)
	if err != nil {
		return r, fmt.Errorf("look up %s of %s in the log: %w", stage, table, err)
	}
	if res.RowNumber() == 0 {
		return r, errNotWritten
	}
	var errs [6]error
	for i, p := range []*logPoint{&r.from, &r.to} {
		p.file, errs[3*i] = res.GetString(0, 3*i)
		p.pos, errs[3*i+1] = res.GetInt(0, 3*i+1)
		p.gtid, errs[3*i+2] = res.GetString(0, 3*i+2)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return r, err
	}
	if r.files, r.bytes, err = logFiles(conn, r.from.file, r.to.file); err != nil {
		return r, err
	}
	if !slices.Contains(r.files, r.from.file) || !slices.Contains(r.files, r.to.file) {
		return r, errNotWritten
	}
	return r, nil
}

// findRanges looks up all stages of a case.
func findRanges(conn *client.Conn, c *benchCase, rows int64) ([]logRange, error) {
	var list []logRange
	for _, s := range c.log.stages {
		r, err := findRange(conn, c.table, rows, s.name)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}
