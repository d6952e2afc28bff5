package schema

import "testing"

func TestGhostOf(t *testing.T) {
	for name, want := range map[string]string{
		"_orders_gho": "orders", "_orders_ghc": "orders", "_orders_del": "orders", "_orders_20261127120000_del": "orders",
		"_orders_new": "orders", "__orders_new": "orders", "_orders_old": "orders", "__a_b_old": "a_b",
		"orders": "", "orders_new": "", "_orders": "", "_gho": "", "__new": "", "_orders_gone": "",
	} {
		if got := GhostOf(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
