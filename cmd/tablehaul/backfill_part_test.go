package main

import "testing"

func TestPartitionCondition(t *testing.T) {
	for text, want := range map[string]string{
		"dt=2026-01-31":            "`dt` = '2026-01-31'",
		"dt = '2026-01-31'":        "`dt` = '2026-01-31'",
		"name='O''Brien'":          "`name` = 'O''Brien'",
		"name=O'Brien":             "`name` = 'O''Brien'",
		`name="say \ no"`:          "`name` = 'say \\\\ no'",
		"name='null'":              "`name` = 'null'",
		"name=null":                "`name` IS NULL",
		"`a b`=1":                  "`a b` = '1'",
		"day(at)=2026-01-31":       "`at` >= '2026-01-31 00:00:00' AND `at` < '2026-02-01 00:00:00'",
		"month(at)=2026-12":        "`at` >= '2026-12-01 00:00:00' AND `at` < '2027-01-01 00:00:00'",
		"year( `at` )=2026":        "`at` >= '2026-01-01 00:00:00' AND `at` < '2027-01-01 00:00:00'",
		"hour(at)=2026-01-31 23":   "`at` >= '2026-01-31 23:00:00' AND `at` < '2026-02-01 00:00:00'",
		"day(at)":                  "",
		"bucket(16,id), day(at)":   "",
		"dt=day(created_at)":       "",
		"dt=day(@commit), country": "",
	} {
		got, is, err := partitionCondition(text)
		if err != nil || got != want || is != (want != "") {
			t.Errorf("%s: got %q, %v, %v, want %q", text, got, is, err, want)
		}
	}
	if _, _, err := partitionCondition("month(at)=2026-13"); err == nil {
		t.Error("a 13th month: got no error")
	}
}
