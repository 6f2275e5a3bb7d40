with

value_repairs as (
    select * from {{ ref('stg_value_repairs') }}
),

ranked as (
    select
        table_name,
        file_name,
        column_name,
        kind,
        values_repaired,
        example,
        row_number() over (partition by table_name, column_name, kind order by file_name) as file_rank
    from value_repairs
),

final as (
    select
        table_name,
        column_name,
        kind,
        cast(sum(values_repaired) as bigint) as values_repaired,
        -- of the first file
        max(case when file_rank = 1 then example end) as example
    from ranked
    group by table_name, column_name, kind
)

{{ select_with_labels('final') }}
