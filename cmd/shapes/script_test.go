package main

import (
	"slices"
	"strings"
	"testing"
)

// TestScript cuts scripts as the mysql client does it.
func TestScript(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                  nil,
		"SELECT 1; SELECT 2":                {"SELECT 1", "SELECT 2"},
		"SELECT ';', \";\", `;`; SELECT 2;": {"SELECT ';', \";\", `;`", "SELECT 2"},
		`SELECT 'it''s;', 'a\';'; SELECT 2`: {`SELECT 'it''s;', 'a\';'`, "SELECT 2"},
		"-- a; b\nSELECT 1 # c; d\n, 2; /* e; f */ ;;":            {"-- a; b\nSELECT 1 # c; d\n, 2"},
		"SELECT 1--1; SELECT 2":                                   {"SELECT 1--1", "SELECT 2"},
		"/*!40101 SET a = 1 */; /*!50003 CREATE x */;":            {"/*!40101 SET a = 1 */", "/*!50003 CREATE x */"},
		"DELIMITER //\nBEGIN a; b; END//\ndelimiter ;\nSELECT 1;": {"BEGIN a; b; END", "SELECT 1"},
		"use db\nSELECT 1;":                                       {"use db", "SELECT 1"},
		"USE `a b`; SELECT 1;":                                    {"USE `a b`", "SELECT 1"},
		"source other.sql\n\\. other.sql\nSELECT 1;":              {"SELECT 1"},
	} {
		in := &script{text: text}
		var got []string
		for s, ok := in.next(false); ok; s, ok = in.next(false) {
			got = append(got, s)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	in := &script{text: `COMMENT 'a\'; SELECT 2`}
	if got, _ := in.next(true); got != `COMMENT 'a\'` {
		t.Errorf("with NO_BACKSLASH_ESCAPES: got %q", got)
	}
}

// TestCannot has statements told apart by where the parser stops.
func TestCannot(t *testing.T) {
	if got := firstWord("/* x */ point)"); got != "POINT" {
		t.Errorf("got %q", got)
	}
	if got := short(strings.Repeat("a  ", 200)); len(got) > 310 {
		t.Errorf("%d bytes are not short", len(got))
	}
}
