{#-
    Every row of a raw table, with what became of it. Landing has typed the row and judged it by the rules that need it alone
    (orchestration/landing/judging.py); here it is judged by what needs other rows: references, seeds, and versions of its key. The rules
    are those of the raw contract (models/staging/raw/raw.yml).

    table_name    name of the table in the raw contract
    raw_rows      the relation of its raw rows
    references    relations that a required reference is looked up in, by column of this table
    seeds         relations of the seeds that the values of a column must be in, by column of this table

    Columns: those of the contract; then
    row_key           the key as text, parts joined by `|`; null for a line that does not fit the header
    masked_key        row_key fit to be shown
    row_status        accepted, rejected, or superseded (a newer version of the same key was accepted)
    reason_code       why it was rejected: what landing found, or out_of_domain (of a seed), unknown_reference
    reason            the same for a person: column, what it holds, what was expected; personal data masked
    raw_row           the whole row as a JSON object of texts, or the line itself where it has no columns; for rejected rows only. Of a row
                      that landing found in order it has the values, unless their texts said more
    masked_row        raw_row fit to be shown: columns of the contract alone, patterns in the place of what may be personal data
    file_name, row_number, first_seen_at    where the row stands and when it was first read
-#}
{% macro checked_rows(table_name, raw_rows, references={}, seeds={}) %}
{%- if execute -%}
{%- set contract = raw_contract(table_name) -%}
{%- set columns = contract.columns.values() | list -%}
{%- set key = contract.meta.key -%}
{%- set names = columns | map(attribute='name') | list -%}

with

raw_rows as (
    select * from {{ raw_rows }}
),

{% for column, relation in references.items() -%}
{%- set target = contract.meta.references[column].split('.')[1] -%}
known_{{ column }} as (
    -- one row per value, so that the join below keeps the grain
    select {{ target }} as {{ column }}
    from {{ relation }}
    group by {{ target }}
),

{% endfor -%}
{%- for column, relation in seeds.items() -%}
allowed_{{ column }} as (
    select {{ column }}
    from {{ relation }}
    group by {{ column }}
),

{% endfor -%}
judged_rows as (
    select
        raw_rows.*,
        case
            when raw_rows._failure is not null then raw_rows._failure
            {%- for column in seeds %}
            when raw_rows.{{ column }} is not null and allowed_{{ column }}.{{ column }} is null
                then 'out_of_domain:{{ column }}'
            {%- endfor %}
            {%- for column in references %}
            when known_{{ column }}.{{ column }} is null then 'unknown_reference:{{ column }}'
            {%- endfor %}
        end as failure
    from raw_rows
    {%- for column in references %}
    left join known_{{ column }} on raw_rows.{{ column }} = known_{{ column }}.{{ column }}
    {%- endfor %}
    {%- for column in seeds %}
    left join allowed_{{ column }} on raw_rows.{{ column }} = allowed_{{ column }}.{{ column }}
    {%- endfor %}
),

ranked_rows as (
    select
        judged_rows.*,
        -- the newest version of a key among the rows that are in order; a broken newer version does not hide a sound older one
        row_number() over (
            partition by {{ key | join(', ') }}, failure is null
            order by
                {%- if 'updated_at' in names and 'updated_at' not in key %}
                updated_at desc nulls last,
                {%- endif %}
                _file_order desc nulls last,
                _file_name desc nulls last,
                _row_number desc nulls last
        ) as version_rank
    from judged_rows
),

final as (
    select
        {%- for column in columns %}
        {{ column.name }},
        {%- endfor %}
        _row_key as row_key,
        case
            when failure is null or _masked_row is not null then coalesce(_masked_key, _row_key)
            else {{ shown_value('_row_key') }}
        end as masked_key,
        case
            when failure is not null then 'rejected'
            when version_rank > 1 then 'superseded'
            else 'accepted'
        end as row_status,
        split_part(failure, ':', 1) as reason_code,
        case
            when _failure is not null then _reason
            {%- for column in seeds %}
            when failure = 'out_of_domain:{{ column }}'
                then {{ holds(contract.columns[column]) }}; expected a value of the seed {{ contract.columns[column].config.meta.seed }}'
            {%- endfor %}
            {%- for column in references %}
            {%- set target_table = contract.meta.references[column].split('.')[0] %}
            when failure = 'unknown_reference:{{ column }}'
                then {{ holds(contract.columns[column]) }}, which no accepted row of {{ target_table }} has'
            {%- endfor %}
        end as reason,
        case when failure is not null then coalesce(_raw_row, {{ json_of_values(columns) }}) end as raw_row,
        case
            when failure is not null then coalesce(_masked_row, {{ json_of_values(columns, is_shown=true) }})
        end as masked_row,
        _file_name as file_name,
        _row_number as row_number,
        _first_seen_at as first_seen_at
    from ranked_rows
)

select * from final
{%- endif -%}
{% endmacro %}


{#- The contract of a raw table, as dbt parsed it from models/staging/raw/raw.yml: name, meta and columns. -#}
{% macro raw_contract(table_name) %}
    {%- set raw_sources = graph.sources.values() | selectattr('source_name', 'equalto', 'raw') -%}
    {%- set found = raw_sources | selectattr('name', 'equalto', table_name) | list -%}
    {%- if not found -%}
        {{ exceptions.raise_compiler_error("There is no table '" ~ table_name ~ "' in the raw contract (models/staging/raw/raw.yml).") }}
    {%- endif -%}
    {{ return({'columns': found[0].columns, 'meta': found[0].config.meta}) }}
{% endmacro %}


{#- SQL that says what a column holds as it may be shown, as the opening of a text whose closing quote is still to come. -#}
{% macro holds(column) -%}
    '{{ column.name }} holds "' || coalesce({{ text_of_json('_masked_row', column.name) }}, {{ shown_cell(column) }}) || '"
{%- endmacro %}
