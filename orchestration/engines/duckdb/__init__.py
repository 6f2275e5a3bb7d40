"""DuckDB: the build is a file of the warehouse folder, what is published another."""
