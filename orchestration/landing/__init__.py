"""The one place where a company's files become rows.

Every file becomes one Parquet file under <landing>/<table>/ that any engine can read: each contract column as text, in
the order of the contract, then

    _extra          JSON object of the file's other columns; null if it has none
    _unparsed_row   the literal text of a CSV record that does not fit the header; then all contract columns are null
    _file_name      posix path relative to the raw folder
    _row_number     1-based record in the file; header and blank lines do not count
    _first_seen_at  when this content of this file was first landed, UTC

An empty value is null. Nothing else is interpreted: types, keys and rejections are for the staging models.
"""
