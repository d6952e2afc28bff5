package doristest

import (
	"fmt"
	"slices"
	"time"
)

// An alterJob is a schema change that takes its time.
type alterJob struct {
	id     int64
	table  string
	began  time.Time
	until  time.Time
	finish func()
	state  string // RUNNING, FINISHED, CANCELLED
	msg    string
}

// job has a schema change take its time.
func (c *Cluster) job(t *table, finish func()) {
	c.lastTxn++
	now := time.Now()
	t.jobs = append(t.jobs, &alterJob{id: c.lastTxn, table: t.name, began: now, until: now.Add(c.opts.AlterTime), finish: finish, state: "RUNNING"})
}

func (t *table) altering() bool {
	return slices.ContainsFunc(t.jobs, func(j *alterJob) bool { return j.state == "RUNNING" })
}

// finishJobs ends the schema changes whose time is over.
func (c *Cluster) finishJobs(t *table) {
	for _, j := range t.jobs {
		if j.state == "RUNNING" && !time.Now().Before(j.until) {
			j.finish()
			j.state = "FINISHED"
		}
	}
}

func (s *session) showJobs(p *parser) (*result, error) {
	db, name := s.db, ""
	if p.is("FROM") {
		var err error
		if db, err = p.name(); err != nil {
			return nil, err
		}
	}
	if p.is("WHERE", "TableName", "=") {
		var err error
		if name, err = p.text(); err != nil {
			return nil, err
		}
	}
	d, err := s.c.database(db)
	if err != nil {
		return nil, err
	}
	r := &result{names: []string{"JobId", "TableName", "CreateTime", "FinishTime", "State", "Msg"}}
	var jobs []*alterJob
	for _, t := range d.tables {
		jobs = append(jobs, t.jobs...)
	}
	slices.SortFunc(jobs, func(a, b *alterJob) int { return int(b.id - a.id) }) // the last one first
	for _, j := range jobs {
		if name == "" || j.table == name {
			r.rows = append(r.rows, []any{fmt.Sprint(j.id), j.table, j.began.Format(time.DateTime), j.until.Format(time.DateTime), j.state, j.msg})
		}
	}
	return r, nil
}
