with

rejected as (
    {% for table_name in raw_table_names() -%}
    select
        '{{ table_name }}' as table_name,
        file_name,
        row_number,
        -- kept whole in the staging layer, shown without personal data
        masked_key as row_key,
        reason_code,
        reason,
        masked_row as raw_row,
        first_seen_at
    from {{ ref('base_' ~ table_name) }}
    where row_status = 'rejected'
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}
),

final as (
    select
        table_name,
        file_name,
        row_number,
        row_key,
        reason_code,
        reason,
        raw_row,
        first_seen_at
    from rejected
)

{{ select_with_labels('final') }}
