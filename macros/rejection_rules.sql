{#-
    Every row of a raw table as values, with what became of it. The rules are those of the raw contract (models/staging/raw/raw.yml);
    this macro is the only place that applies them.

    table_name    name of the table in the raw contract
    raw_rows      the relation of its raw rows
    references    relations that a required reference is looked up in, by column of this table
    seeds         relations of the seeds that the values of a column must be in, by column of this table

    Columns: those of the contract, typed; then
    row_key           the key as text, parts joined by `|`; null for a line that does not fit the header
    row_status        accepted, rejected, or superseded (a newer version of the same key was accepted)
    reason_code       why it was rejected: malformed_row, missing_key, missing_value, unparseable_value, out_of_domain, unknown_reference
    reason            the same for a person: column, what it holds, what was expected; personal data masked
    raw_row           the whole row as a JSON object of texts, or the line itself where it has no columns; for rejected rows only
    masked_row        raw_row fit to be shown: personal data masked
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
    select
        {%- for column in columns %}
        {{ clean_text(column.name) }} as {{ column.name }}_text,
        {%- endfor %}
        _extra,
        _unparsed_row,
        _file_name,
        _row_number,
        _first_seen_at
    from {{ raw_rows }}
),

typed_rows as (
    select
        raw_rows.*,
        {%- for column in columns %}
        {{ typed(column) }} as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from raw_rows
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
        typed_rows.*,
        case
            when typed_rows._unparsed_row is not null then 'malformed_row'
            {%- for column in columns if column.name in key %}
            when typed_rows.{{ column.name }}_text is null then 'missing_key:{{ column.name }}'
            {%- endfor %}
            {%- for column in columns if column.config.meta.required and column.name not in key %}
            when typed_rows.{{ column.name }}_text is null then 'missing_value:{{ column.name }}'
            {%- endfor %}
            {%- for column in columns if column.data_type != 'text' %}
            when typed_rows.{{ column.name }} is null and typed_rows.{{ column.name }}_text is not null
                then 'unparseable_value:{{ column.name }}'
            {%- endfor %}
            {%- for column in columns %}
            {%- set outside = outside_domain(column) %}
            {%- if outside %}
            when {{ outside }} then 'out_of_domain:{{ column.name }}'
            {%- endif %}
            {%- endfor %}
            {%- for column in seeds %}
            when typed_rows.{{ column }} is not null and allowed_{{ column }}.{{ column }} is null
                then 'out_of_domain:{{ column }}'
            {%- endfor %}
            {%- for column in references %}
            when known_{{ column }}.{{ column }} is null then 'unknown_reference:{{ column }}'
            {%- endfor %}
        end as failure
    from typed_rows
    {%- for column in references %}
    left join known_{{ column }} on typed_rows.{{ column }} = known_{{ column }}.{{ column }}
    {%- endfor %}
    {%- for column in seeds %}
    left join allowed_{{ column }} on typed_rows.{{ column }} = allowed_{{ column }}.{{ column }}
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
        case
            when _unparsed_row is null
                then {% for column in key %}coalesce({{ column }}_text, ''){{ " || '|' || " if not loop.last }}{% endfor %}
        end as row_key,
        case
            when failure is not null then 'rejected'
            when version_rank > 1 then 'superseded'
            else 'accepted'
        end as row_status,
        split_part(failure, ':', 1) as reason_code,
        case failure
            when 'malformed_row' then 'the line has more or fewer fields than the header'
            {%- for column in columns %}
            {%- set shown = "'***'" if column.config.meta.personal else column.name ~ '_text' %}
            {%- set holds = "'" ~ column.name ~ " holds \"' || " ~ shown ~ " || '\"" %}
            when 'missing_key:{{ column.name }}' then '{{ column.name }} is part of the key and is empty'
            when 'missing_value:{{ column.name }}' then '{{ column.name }} is required and is empty'
            when 'unparseable_value:{{ column.name }}' then {{ holds }}, which is no {{ column.data_type }}'
            when 'out_of_domain:{{ column.name }}' then {{ holds }}; expected {{ expected_domain(column) }}'
            {%- endfor %}
            {%- for column in references %}
            {%- set target_table = contract.meta.references[column].split('.')[0] %}
            when 'unknown_reference:{{ column }}'
                then '{{ column }} holds "' || {{ column }}_text || '", which no accepted row of {{ target_table }} has'
            {%- endfor %}
        end as reason,
        {%- set holds_personal_data = columns | selectattr('config.meta.personal', 'defined') | list | length > 0 %}
        {%- for name, masked in [('raw_row', false), ('masked_row', holds_personal_data)] %}
        case
            when failure is null then null
            when _unparsed_row is not null
                then {{ "'*** (a line of a table that holds personal data)'" if masked else '_unparsed_row' }}
            else {{ json_object_of(texts_of(columns, masked=true)) if masked else raw_row_json(columns) }}
        end as {{ name }},
        {%- endfor %}
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


{#- The value of a column of the raw contract, from its text `<name>_text`. -#}
{% macro typed(column) -%}
    {%- set text = column.name ~ '_text' -%}
    {%- if column.data_type == 'text' -%} {{ text }}
    {%- elif column.data_type == 'timestamp' -%} {{ parse_timestamp(text) }}
    {%- elif column.data_type == 'date' -%} {{ parse_date(text) }}
    {%- elif column.data_type == 'number' -%} {{ parse_number(text) }}
    {%- elif column.data_type == 'integer' -%} {{ parse_integer(text) }}
    {%- elif column.data_type == 'boolean' -%} {{ parse_boolean(text) }}
    {%- else -%} {{ exceptions.raise_compiler_error("Column '" ~ column.name ~ "' has the unknown data_type '" ~ column.data_type ~ "'.") }}
    {%- endif -%}
{%- endmacro %}


{#- The condition under which a column of `typed_rows` is outside its domain; empty where the contract sets none. -#}
{% macro outside_domain(column) -%}
    {%- set meta = column.config.meta -%}
    {%- set value = 'typed_rows.' ~ column.name -%}
    {%- if meta.get('values') -%}
        {{ value }} not in ('{{ meta['values'] | join("', '") }}')
    {%- elif meta.get('scale') -%}
        {%- for kind, range in meta.scale.items() if kind != 'column' -%}
        {{ ' or ' if not loop.first -}}
        (typed_rows.{{ meta.scale.column }} = '{{ kind }}' and {{ value }} not between {{ range[0] }} and {{ range[1] }})
        {%- endfor -%}
    {%- else -%}
        {%- set beyond = [] -%}
        {%- do beyond.append(value ~ ' < ' ~ meta.minimum) if meta.get('minimum') is not none -%}
        {%- do beyond.append(value ~ ' > ' ~ meta.maximum) if meta.get('maximum') is not none -%}
        {%- for kind, sign in meta.get('sign', {}).items() if kind != 'column' -%}
            {%- set wrong = '<= 0' if sign == 'positive' else '>= 0' -%}
            {%- do beyond.append('(typed_rows.' ~ meta.sign.column ~ " = '" ~ kind ~ "' and " ~ value ~ ' ' ~ wrong ~ ')') -%}
        {%- endfor -%}
        {{ beyond | join(' or ') }}
    {%- endif -%}
{%- endmacro %}


{#- The same domain in words, for the reason of a rejected row. -#}
{% macro expected_domain(column) -%}
    {%- set meta = column.config.meta -%}
    {%- if meta.get('values') -%}
        one of {{ meta['values'] | join(', ') }}
    {%- elif meta.get('scale') -%}
        {%- for kind, range in meta.scale.items() if kind != 'column' -%}
        {{ ', ' if not loop.first }}{{ range[0] }} to {{ range[1] }} for {{ kind }}
        {%- endfor -%}
    {%- elif meta.get('seed') -%}
        a value of the seed {{ meta.seed }}
    {%- else -%}
        {%- set expected = [] -%}
        {%- if meta.get('maximum') is not none -%}
            {%- do expected.append('{:,} to {:,}'.format(meta.minimum, meta.maximum)) -%}
        {%- elif meta.get('minimum') is not none -%}
            {%- do expected.append(meta.minimum ~ ' or more') -%}
        {%- endif -%}
        {%- for kind, sign in meta.get('sign', {}).items() if kind != 'column' -%}
            {%- do expected.append(sign ~ ' for ' ~ kind) -%}
        {%- endfor -%}
        {{ expected | join(', ') }}
    {%- endif -%}
{%- endmacro %}


{#- Name of each column of the contract -> expression of its text, personal data masked on demand. -#}
{% macro texts_of(columns, masked=false) -%}
    {%- set texts = {} -%}
    {%- for column in columns -%}
        {%- set text = column.name ~ '_text' -%}
        {%- if masked and column.config.meta.personal -%}
            {%- set text = "case when " ~ text ~ " is not null then '***' end" -%}
        {%- endif -%}
        {%- do texts.update({column.name: text}) -%}
    {%- endfor -%}
    {{ return(texts) }}
{%- endmacro %}


{#- The whole raw row as JSON: the columns of the contract, then the other columns of the file (`_extra`, itself a JSON object). -#}
{% macro raw_row_json(columns) -%}
    {%- set whole = json_object_of(texts_of(columns)) -%}
    case
        when _extra is null or _extra = '{}' then {{ whole }}
        else substring({{ whole }}, 1, length({{ whole }}) - 1) || ',' || substring(_extra, 2)
    end
{%- endmacro %}
