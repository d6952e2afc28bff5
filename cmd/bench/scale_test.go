package main

import (
	"strings"
	"testing"
	"time"
)

func TestReadScale(t *testing.T) {
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	text := `{"event":"progress","time":"2026-07-01T12:00:01.000Z","rows":0,"tables":{"waiting":5000}}
{"event":"table","time":"2026-07-01T12:00:02.500Z","table":"a","state":"whole","rows":7}
{"event":"summary","time":"2026-07-01T12:00:09.000Z","rows":7,"tables":[` + strings.Repeat(`{"state":"whole"},`, scaleTables-1) + `{"state":"whole"}]}
`
	rows, sc, err := readScale([]byte(text), start)
	if err != nil || rows != 7 || sc.FirstRowS != 2.5 || sc.Tables != scaleTables {
		t.Errorf("got %d rows, %+v, %v", rows, sc, err)
	}
	if _, _, err := readScale([]byte(strings.Replace(text, "whole", "failed", 2)), start); err == nil {
		t.Error("a table that failed is not noticed")
	}
}
