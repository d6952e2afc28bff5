package schema

// Examples returns declarations of columns, as information_schema prints them,
// that show all that becomes of the types there are.
func Examples() []string {
	return []string{
		"tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned",
		"int", "int unsigned", "integer", "bigint", "bigint unsigned",
		"float", "double", "decimal(10,2)", "decimal(38,0)", "decimal(39,0)", "decimal(65,30)",
		"bit(1)", "bit(8)", "bit(63)", "bit(64)",
		"year", "date", "datetime", "datetime(6)", "timestamp", "timestamp(6)", "time", "time(6)",
		"char(10)", "varchar(255)", "tinytext", "text", "mediumtext", "longtext",
		"binary(16)", "varbinary(255)", "tinyblob", "blob", "mediumblob", "longblob",
		"enum('a','b')", "set('a','b')", "json",
		"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection",
		"vector(3)", "uuid", "inet4", "inet6", "xmltype",
	}
}
