{#-
    A row that landing found in order and that other tables condemn: as a JSON object of its values. Landing keeps the text of such a row
    only where it is more than the values (orchestration/landing/judging.py).
-#}

{#- The values of a row as a JSON object of texts; with `is_shown` those that look personal are masked. -#}
{% macro json_of_values(columns, is_shown=false) -%}
    {%- set members = [] -%}
    {%- for column in columns -%}
        {%- set text = 'cast(' ~ column.name ~ ' as ' ~ dbt.type_string() ~ ')' -%}
        {%- do members.append("'" ~ column.name ~ "', " ~ (shown_cell(column) if is_shown else text)) -%}
    {%- endfor -%}
    {{ return(adapter.dispatch('json_of_members')(members | join(', '))) }}
{%- endmacro %}

{% macro default__json_of_members(members) -%}
    cast(json_object({{ members }}) as varchar)
{%- endmacro %}

{% macro spark__json_of_members(members) -%}
    to_json(named_struct({{ members }}), map('ignoreNullFields', 'false'))
{%- endmacro %}

{#- The text of a member of a JSON object. -#}
{% macro text_of_json(object, member) -%}
    {{ return(adapter.dispatch('text_of_json')(object, member)) }}
{%- endmacro %}

{% macro default__text_of_json(object, member) -%}
    json_extract_string({{ object }}, '$.{{ member }}')
{%- endmacro %}

{% macro spark__text_of_json(object, member) -%}
    get_json_object({{ object }}, '$.{{ member }}')
{%- endmacro %}

{#- The text of a column's value, or *** where it looks personal. -#}
{% macro shown_cell(column) -%}
    {%- set text = 'cast(' ~ column.name ~ ' as ' ~ dbt.type_string() ~ ')' -%}
    {%- if column.data_type == 'text' -%}
        {{ shown_value(text, is_code=column.config.meta.seed) }}
    {%- elif column.data_type in ('number', 'integer') -%}
        {#- mobile numbers of China, as in orchestration/landing/masking.py -#}
        case
            when {{ column.name }} between 13000000000 and 20000000000 then '***'
            when {{ column.name }} between 8613000000000 and 8620000000000 then '***'
            else {{ text }}
        end
    {%- else -%}
        {{ text }}
    {%- endif -%}
{%- endmacro %}

{#-
    The text, or *** where it looks like an e-mail address, a phone or an identity card's number. It masks whatever
    orchestration/masking.py finds personal in plain ASCII (landing keeps how a row with other signs is shown), of a code seven digits too;
    without a backslash, which Spark reads in another way.
-#}
{% macro shown_value(text, is_code=false) -%}
    {%- set outside = ['(^|[^0-9])', '($|[^0-9])'] -%}
    {%- set personal = [
        '@|%40',
        '[+] ?[(]?[0-9]([ ().-]{0,2}[0-9]){6,14}',
        outside | join('((00)?86[ -]?)?1[3-9][0-9][ .-]?[0-9]{4}[ .-]?[0-9]{4}'),
        outside | join('0[0-9]{2,3}[ -][0-9]{7,8}'),
        outside | join('[(]?[0-9]{3}[)]?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}'),
        '[(][0-9]{2,5}[)] ?[0-9]{3,4}[ -]?[0-9]{3,5}',
        outside | join('[1-9][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]'),
        '[1-9][.][0-9]{6,}[eE][+]?[0-9]{2}',
    ] + (['[0-9]([ ()./-]{0,2}[0-9]){6}'] if is_code else []) -%}
    {%- set machine_id = '[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32,}' -%}
    case when {{ matches(without_matches(text, machine_id), personal | join('|')) }} then '***' else {{ text }} end
{%- endmacro %}
