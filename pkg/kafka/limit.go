package kafka

import "strconv"

const (
	// DefaultMessage is what brokers take of a batch of messages, in bytes, unless they are
	// told otherwise (max.message.bytes).
	DefaultMessage = 1_000_012
	// MaxMessage bounds what is made of a topic's limit, in bytes: a request has to hold it.
	MaxMessage = 64 << 20
)

// MessageLimit returns how large a batch of a topic's may be, in bytes, by what is configured
// there as max.message.bytes: the default if that is not known, as to a user who may not look.
func MessageLimit(configured string) int32 {
	n, err := strconv.ParseInt(configured, 10, 32)
	if err != nil {
		return DefaultMessage
	}
	return int32(min(max(n, 1024), MaxMessage))
}
