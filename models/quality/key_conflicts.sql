with

raw_files as (
    select * from {{ ref('stg_raw_files') }}
),

final as (
    select
        table_name,
        file_name,
        keys_in_conflict,
        rows_in_conflict,
        example_key
    from raw_files
    where keys_in_conflict > 0
)

{{ select_with_labels('final') }}
