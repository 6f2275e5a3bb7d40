"""The one place where a company's files become rows.

A reader gives the rows of a file, batch by batch (`file_rows`): CSV and Parquet alike. Each row is then typed and
judged by the rules of the contract that need the row alone (`judging`, `values`), once per content of a file, contract
and settings. Every file becomes one Parquet file under <landing>/<table>/ that any engine can read: each column of the
contract with its type, in the order of the contract, then

    _row_key        the key as text, parts joined by `|`; null for a line that does not fit the header
    _masked_key     _row_key fit to be shown; null where it is the key itself
    _failure        the first rule that the row breaks: reason code and column, joined by `:`; null for a sound row
    _reason         the same for a person: column, what it holds as it may be shown, what was expected
    _raw_row        the whole row as a JSON object of texts, or the line itself where it does not fit the header; only
                    where the row is rejected, or may be by what other tables hold
    _masked_row     _raw_row fit to be shown (see `masking`): columns of the contract, patterns of what may be personal
    _file_name      posix path relative to the raw folder
    _file_order     a text by which files stand in their order, numbers in their names counted as numbers
    _row_number     1-based record in the file; header and blank lines do not count
    _first_seen_at  when this content of this file was first landed, UTC
    _repairs        what was repaired in the row, by column; for landing's own count

Versions, references and the values of seeds are judged at every refresh, by the macro `checked_rows`.
"""
