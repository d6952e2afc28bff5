package mysql

import (
	"slices"
	"strings"
)

// settings are what one place says, by the names that mysql's own client gives
// its options.
type settings map[string]string

// parameters are the settings that a URL can have behind its question mark.
var parameters = []string{
	"socket", "ssl-mode", "ssl-ca", "ssl-capath", "ssl-cert", "ssl-key", "tls-version",
	"get-server-public-key", "server-public-key-path", "enable-cleartext-plugin",
}

func isParameter(name string) bool { return slices.Contains(parameters, name) }

// isSetting reports whether an option file can say it.
func isSetting(name string) bool {
	return isParameter(name) || slices.Contains([]string{"user", "password", "host", "port"}, name)
}

// isOn reads a switch as mysql does.
func isOn(v string) bool {
	switch strings.ToLower(v) {
	case "1", "on", "true", "yes":
		return true
	}
	return false
}

// set takes an option of a file over. valued is false for an option without "=".
// It reports whether the option is one that we know.
func (s settings) set(name, value string, valued bool) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	name = strings.TrimPrefix(name, "loose-")
	on := !valued || isOn(value)
	switch name {
	case "skip-ssl", "disable-ssl":
		s["ssl-mode"] = modeDisabled
	case "ssl", "enable-ssl": // MariaDB's words. What verifies must not be undone by a line behind it.
		switch {
		case !on:
			s["ssl-mode"] = modeDisabled
		case s["ssl-mode"] == "":
			s["ssl-mode"] = modeRequired
		}
	case "ssl-verify-server-cert":
		if on {
			s["ssl-mode"] = modeVerifyIdentity
		}
	case "password":
		if valued { // else mysql asks for it: --ask-password does
			s[name] = value
		}
	default:
		if !isSetting(name) {
			return false
		}
		if !valued {
			value = "1"
		}
		s[name] = value
	}
	return true
}
