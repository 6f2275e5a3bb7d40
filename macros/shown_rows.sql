{#-
    A row that landing found in order and that other tables condemn: as a JSON object of its values. Landing keeps the text of such a row
    only where it is more than the values (orchestration/landing/judging.py).
-#}

{#- The values of a row as a JSON object of texts; with `is_shown` those that look personal are masked. -#}
{% macro json_of_values(columns, is_shown=false) -%}
    {%- set members = [] -%}
    {%- for column in columns -%}
        {%- set text = 'cast(' ~ column.name ~ ' as ' ~ dbt.type_string() ~ ')' -%}
        {%- do members.append("'" ~ column.name ~ "', " ~ (shown_value(text) if is_shown else text)) -%}
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

{#-
    The text, or *** where it looks like an e-mail address, a phone or an identity card's number. It masks whatever
    orchestration/masking.py finds personal, of a value that landing has cleaned; without a backslash, which Spark reads in another way.
-#}
{% macro shown_value(text) -%}
    {%- set outside = ['(^|[^0-9])', '($|[^0-9])'] -%}
    {%- set personal = [
        '@|%40',
        '[+] ?[(]?[0-9]([ ().-]{0,2}[0-9]){6,14}',
        outside | join('((00)?86[ -]?)?1[3-9][0-9][ .-]?[0-9]{4}[ .-]?[0-9]{4}'),
        outside | join('0[0-9]{2,3}[ -][0-9]{7,8}'),
        outside | join('[(]?[0-9]{3}[)]?[ .-]{1,2}[0-9]{3}[ .-][0-9]{4}'),
        '[(][0-9]{2,5}[)] ?[0-9]{3,4}[ -]?[0-9]{3,5}',
        outside | join('[1-9][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]'),
    ] | join('|') -%}
    case when {{ matches(text, personal) }} then '***' else {{ text }} end
{%- endmacro %}
