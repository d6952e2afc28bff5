package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// An object is one of JSON's.
type object = map[string]any

// jobSchema returns the JSON schema of files: what editors complete and underline. It says
// no more than flags do of themselves.
func jobSchema(commands []*cobra.Command) object {
	top, options := object{}, object{}
	sections := object{}
	for _, c := range commands {
		own := object{}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !isFileKey(f) {
				return
			}
			is := flagSchema(f)
			if f.Name == tablesKey {
				is = object{"$ref": "#/definitions/tables"}
			}
			own[f.Name] = is
			if _, told := top[f.Name]; !told || c.Name() != checkCommand { // which repeats what others have
				top[f.Name] = either(top[f.Name], is)
			}
			if isPerTable(f) {
				options[f.Name] = tableSchema(f)
			}
		})
		endSchemas(own)
		sections[c.Name()] = object{"type": []string{"object", "null"}, "description": "for tablehaul " + c.Name() + " alone", "additionalProperties": false, "properties": own}
	}
	endSchemas(top)
	for name, s := range sections {
		top[name] = s
	}
	return object{
		"$schema":              "http://json-schema.org/draft-07/schema#",
		"title":                "A job of tablehaul",
		"type":                 "object",
		"additionalProperties": false,
		"patternProperties":    object{"^x-": object{"description": "passed over: a place for what aliases stand for"}},
		"properties":           top,
		"definitions": object{
			"tables": object{
				"description": "the tables that are meant: a list of patterns, or patterns with what is said of their tables; without it all tables",
				"anyOf": []any{
					object{"type": "string"},
					object{"type": "array", "items": object{"type": "string"}, "minItems": 1, "uniqueItems": true},
					object{"type": "object", "minProperties": 1, "additionalProperties": object{"$ref": "#/definitions/table"}},
				},
			},
			"table": object{"type": []string{"object", "null"}, "additionalProperties": false, "properties": options},
		},
	}
}

// endSchemas adds SOURCE and SINK.
func endSchemas(properties object) {
	url := object{"type": "string", "minLength": 1}
	properties[sourceKey] = object{
		"description": "where tables come from; passwords are better left out of it (TABLEHAUL_PASSWORD)",
		"anyOf":       []any{url, object{"type": "array", "items": url, "minItems": 1}},
	}
	properties[sinkKey] = object{"description": "where they go", "type": "string", "minLength": 1}
}

// either allows what one command takes for a key and what another does.
func either(a any, b object) object {
	before, ok := a.(object)
	if !ok || same(before, b) {
		return b
	}
	choice, ok := before["anyOf"].([]any)
	if !ok || before["description"] != nil {
		choice = []any{before}
	}
	for _, o := range choice {
		if same(o, b) {
			return before
		}
	}
	return object{"anyOf": append(choice, b)}
}

func same(a, b any) bool {
	x, _ := json.Marshal(a) // of texts and lists of them
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// flagSchema returns what a key's value may be.
func flagSchema(f *pflag.Flag) object {
	_, usage := pflag.UnquoteUsage(f)
	is := object{"description": strings.Join(strings.Fields(usage), " ")}
	one := valueSchema(f.Value)
	switch list := (object{"type": "array", "items": one}); {
	case isPerTable(f):
		is["anyOf"] = []any{one, list, object{"type": "object", "additionalProperties": either(one, object{"type": "array", "items": object{"type": "string"}})}}
	case isMany(f):
		is["anyOf"] = []any{one, list}
	default:
		for key, value := range one {
			is[key] = value
		}
	}
	return is
}

// tableSchema returns what may be said of a table alone.
func tableSchema(f *pflag.Flag) object {
	_, usage := pflag.UnquoteUsage(f)
	return object{
		"description": strings.Join(strings.Fields(usage), " "),
		"anyOf":       []any{object{"type": "string"}, object{"type": "array", "items": object{"type": "string"}}},
	}
}

// valueSchema returns what one value of a flag may be.
func valueSchema(v pflag.Value) object {
	words := func(list []string) object {
		enum := make([]any, 0, len(list)+1)
		for _, w := range list {
			enum = append(enum, w)
			if w == "null" {
				enum = append(enum, nil) // the word is not quoted by everybody
			}
		}
		return object{"enum": enum}
	}
	switch v := v.(type) {
	case *oneOf:
		return words(v.words)
	case messageFormat:
		return words(v.words)
	}
	switch v.Type() {
	case "bool":
		return object{"type": "boolean"}
	case "int", "int64", "uint32":
		return object{"type": "integer"}
	case "duration":
		return object{"type": []string{"string", "integer"}, "pattern": `^[-+]?([0-9]*(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^0$`}
	case "string", "stringSlice", "stringArray":
		return object{"type": "string"}
	}
	if strings.HasPrefix(v.Type(), "[TABLES:]") {
		return object{"type": "string"}
	}
	return object{"type": []string{"string", "number"}} // such as 512MiB, 1073741824
}

func writeSchema(w io.Writer, commands []*cobra.Command) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(jobSchema(commands)); err != nil {
		return fmt.Errorf("write the schema: %w", err)
	}
	return nil
}
