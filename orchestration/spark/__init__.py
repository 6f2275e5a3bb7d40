"""The engine for a company's own Spark cluster: its connection, its raw tables, and its publications."""
