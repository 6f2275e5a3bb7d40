with

raw_files as (
    select * from {{ source('operations', 'raw_files') }}
),

final as (
    select
        table_name,
        file_name,
        cast(rows_read as bigint) as rows_read,
        cast(rows_filtered as bigint) as rows_filtered,
        cast(keys_in_conflict as bigint) as keys_in_conflict,
        cast(rows_in_conflict as bigint) as rows_in_conflict,
        example_key
    from raw_files
)

select * from final
