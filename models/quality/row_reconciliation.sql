with

raw_files as (
    select * from {{ ref('stg_raw_files') }}
),

checked as (
    {% for table_name in raw_table_names() -%}
    select
        '{{ table_name }}' as table_name,
        count(*) filter (where row_status = 'accepted') as rows_accepted,
        count(*) filter (where row_status = 'rejected') as rows_rejected,
        count(*) filter (where row_status = 'superseded') as rows_superseded
    from {{ ref('base_' ~ table_name) }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}
),

-- what the reader of the files counted, not what arrived in the warehouse: else the identity would hold by construction
read_rows as (
    select
        table_name,
        count(*) as files,
        cast(sum(rows_read) as bigint) as rows_read,
        cast(sum(rows_filtered) as bigint) as rows_filtered
    from raw_files
    group by table_name
),

final as (
    select
        checked.table_name,
        coalesce(read_rows.files, 0) as files,
        coalesce(read_rows.rows_read, 0) as rows_read,
        checked.rows_accepted,
        checked.rows_rejected,
        checked.rows_superseded,
        coalesce(read_rows.rows_filtered, 0) as rows_filtered,
        coalesce(read_rows.rows_read, 0)
        = checked.rows_accepted + checked.rows_rejected + checked.rows_superseded + coalesce(read_rows.rows_filtered, 0) as is_balanced
    from checked
    left join read_rows on checked.table_name = read_rows.table_name
)

select * from final
