// Package binlog decodes what MySQL and MariaDB write to their binary logs.
package binlog

// An EventType is the type code in an event's header.
type EventType uint8

// The types of row events, and MariaDB's compressed ones.
const (
	WriteRowsV1       EventType = 23
	UpdateRowsV1      EventType = 24
	DeleteRowsV1      EventType = 25
	WriteRowsV2       EventType = 30
	UpdateRowsV2      EventType = 31
	DeleteRowsV2      EventType = 32
	PartialUpdateRows EventType = 39

	MariaWriteRowsCompressedV1  EventType = 166
	MariaUpdateRowsCompressedV1 EventType = 167
	MariaDeleteRowsCompressedV1 EventType = 168
	MariaWriteRowsCompressed    EventType = 169
	MariaUpdateRowsCompressed   EventType = 170
	MariaDeleteRowsCompressed   EventType = 171
)
