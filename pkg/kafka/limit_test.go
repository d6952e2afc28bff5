package kafka

import "testing"

func TestMessageLimit(t *testing.T) {
	for configured, want := range map[string]int32{"": DefaultMessage, "x": DefaultMessage, "5000": 5000, "1": 1024, "2147483647": MaxMessage} {
		if got := MessageLimit(configured); got != want {
			t.Errorf("%q: got %d, want %d", configured, got, want)
		}
	}
}
