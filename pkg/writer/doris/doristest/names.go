package doristest

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Forms of names; LETTERS is for those of other scripts, where a session takes them.
const (
	tableForm  = `^[a-zA-ZLETTERS][a-zA-Z0-9\-_LETTERS]*$`
	columnForm = `^[_a-zA-Z@0-9\s/LETTERS][.a-zA-Z0-9_+\-/?@#$%^&*"\s,:LETTERS]{0,255}$`
)

// nameForms are the forms without and with letters of any script.
func nameForms(form string) [2]*regexp.Regexp {
	return [2]*regexp.Regexp{
		regexp.MustCompile(strings.ReplaceAll(form, "LETTERS", "")),
		regexp.MustCompile(strings.ReplaceAll(form, "LETTERS", `\p{L}`)),
	}
}

var tableForms, columnForms = nameForms(tableForm), nameForms(columnForm)

const maxName = 64 // characters of a table's or a database's name

func (s *session) form(forms [2]*regexp.Regexp) *regexp.Regexp {
	if s.unicode {
		return forms[1]
	}
	return forms[0]
}

// hidden reports whether a name is one that Doris keeps for itself.
func hidden(name string) bool { return strings.HasPrefix(strings.ToUpper(name), "__DORIS_") }

func (s *session) checkDatabase(name string) error {
	if !s.form(tableForms).MatchString(name) || utf8.RuneCountInString(name) > maxName {
		return refuse("Incorrect database name '%s'. Database name regex is '%s'", name, s.form(tableForms))
	}
	return nil
}

func (s *session) checkTable(name string) error {
	if !s.form(tableForms).MatchString(name) || hidden(name) {
		return refuse("Incorrect table name '%s'. Table name regex is '%s'", name, s.form(tableForms))
	}
	if n := utf8.RuneCountInString(name); n > maxName {
		return refuse("Incorrect table name '%s'. Table name length exceeds limit, it is %d which is greater than the configuration 'table_name_length_limit' (%d)", name, n, maxName)
	}
	return nil
}

func (s *session) checkColumn(name string) error {
	if !s.form(columnForms).MatchString(name) || hidden(name) {
		return refuse("Incorrect column name '%s'. Column regex is '%s'", name, s.form(columnForms))
	}
	if strings.HasPrefix(name, "mv_") || strings.HasPrefix(name, "mva_") {
		return refuse("Incorrect column name '%s'. Column name can't start with 'mv_'/'mva_'", name)
	}
	return nil
}

// set is SET behind this word. Of all variables, only the one about names is looked at.
func (s *session) set(p *parser) {
	for ; !p.done(); p.at++ {
		if p.is("enable_unicode_name_support", "=") {
			s.unicode = slices.Contains([]string{"true", "1", "on"}, strings.ToLower(p.peek().text))
		}
	}
}
