// Package parquet holds what every sink that writes Parquet files shares.
// Importing it replaces arrow-go's Zstandard codec by one that is several times
// faster on columns without repetition.
package parquet
