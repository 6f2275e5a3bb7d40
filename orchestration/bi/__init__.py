"""The copy of what is published in a PostgreSQL database, for BI tools that cannot open a file."""
