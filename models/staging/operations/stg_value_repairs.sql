with

value_repairs as (
    select * from {{ source('operations', 'value_repairs') }}
),

final as (
    select
        table_name,
        file_name,
        column_name,
        kind,
        cast(values_repaired as bigint) as values_repaired,
        example
    from value_repairs
)

select * from final
