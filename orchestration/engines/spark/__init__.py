"""A company's own Spark cluster with Iceberg: its connection, its raw tables, and its publications."""
