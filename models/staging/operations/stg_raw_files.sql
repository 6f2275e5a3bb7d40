with

raw_files as (
    select * from {{ source('operations', 'raw_files') }}
),

final as (
    select
        table_name,
        file_name,
        cast(rows_read as bigint) as rows_read
    from raw_files
)

select * from final
