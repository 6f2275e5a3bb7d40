{#-
    From the text of a raw file to a value. Each takes a SQL expression of text and gives null where the text is null or is no such
    value; the staging models tell the two apart. The patterns are spelled out because engines' own casts accept more, and each
    engine something else (`infinity`, `2026-1-1`, `1_000`).
-#}

{#- Text without the white space around it: spaces, tabs, line breaks, no-break and ideographic spaces; null where nothing is left. -#}
{% macro clean_text(text) -%}
    nullif(trim(both '{{ " \t\n\r\u00a0\u3000" }}' from {{ text }}), '')
{%- endmacro %}

{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches')(text, pattern)) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}
    {{ text }} rlike '{{ pattern }}'
{%- endmacro %}

{#- Calendar date, `2026-11-22`. -#}
{% macro parse_date(text) -%}
    case when {{ matches(text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') }} then try_cast({{ text }} as date) end
{%- endmacro %}

{#- ISO 8601, date alone or with a time, `T` or a space between; with an offset converted to UTC, without one taken as UTC. -#}
{% macro parse_timestamp(text) -%}
    {%- set time = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?' -%}
    {%- set zone = ' ?(Z|z|[+-](0[0-9]|1[0-7])(:?[0-5][0-9])?)' -%}
    case
        when {{ matches(text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ]' ~ time ~ '(' ~ zone ~ ')?)?$') }}
            then {{ cast_to_utc(text) }}
    end
{%- endmacro %}

{#- The engine's cast of a text already known to look like ISO 8601. -#}
{% macro cast_to_utc(text) -%}
    {{ return(adapter.dispatch('cast_to_utc')(text)) }}
{%- endmacro %}

{% macro default__cast_to_utc(text) -%}
    {#- the session's time zone is UTC (profiles.yml), so the cast to a timestamp without zone gives UTC -#}
    {%- set plain = "replace(upper(" ~ text ~ "), ',', '.')" -%}
    {%- set joined = "replace(replace(replace(" ~ plain ~ ", ' +', '+'), ' -', '-'), ' Z', 'Z')" -%}
    cast(try_cast({{ joined }} as timestamp with time zone) as timestamp)
{%- endmacro %}

{% macro spark__cast_to_utc(text) -%}
    {#- the session's time zone is UTC; a time with a zone must have seconds -#}
    {%- set plain = "replace(upper(" ~ text ~ "), ',', '.')" -%}
    {%- set joined = "replace(replace(replace(" ~ plain ~ ", ' +', '+'), ' -', '-'), ' Z', 'Z')" -%}
    try_cast(regexp_replace({{ joined }}, '^(.{10}[T ][0-9]{2}:[0-9]{2})([Z+-].*)$', '$1:00$2') as timestamp)
{%- endmacro %}

{#- Decimal number with a point and no thousands separator; an exponent is allowed, as exports of floating point have it. -#}
{% macro parse_number(text) -%}
    {%- set digits = '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)' -%}
    case
        when {{ matches(text, '^' ~ digits ~ '$') }} then try_cast({{ text }} as decimal(18, 4))
        {#- No amount needs an exponent above 19. DuckDB 2.0, casting one to the narrow type, loses digits and forgets its limit. -#}
        when {{ matches(text, '^' ~ digits ~ '[eE](-[0-9]+|[+]?[01]?[0-9])$') }}
            then try_cast(try_cast({{ text }} as decimal(38, 4)) as decimal(18, 4))
    end
{%- endmacro %}

{#- Whole number; `3.0` is one, since a column with gaps often comes as floating point. -#}
{% macro parse_integer(text) -%}
    case when {{ matches(text, '^[+-]?[0-9]+([.]0*)?$') }} then cast(try_cast({{ text }} as decimal(18, 0)) as bigint) end
{%- endmacro %}

{#- true, t, yes, y, 1 or false, f, no, n, 0, in any case. -#}
{% macro parse_boolean(text) -%}
    case
        when lower({{ text }}) in ('true', 't', 'yes', 'y', '1') then true
        when lower({{ text }}) in ('false', 'f', 'no', 'n', '0') then false
    end
{%- endmacro %}

{#- A JSON object of texts, null where a text is null, in the given order: `columns` maps a name to an expression. -#}
{% macro json_object_of(columns) -%}
    {{ return(adapter.dispatch('json_object_of')(columns)) }}
{%- endmacro %}

{% macro default__json_object_of(columns) -%}
    cast(
        json_object(
            {%- for name, value in columns.items() %}
            '{{ name }}', {{ value }}{{ ',' if not loop.last }}
            {%- endfor %}
        ) as {{ dbt.type_string() }}
    )
{%- endmacro %}

{% macro spark__json_object_of(columns) -%}
    to_json(
        named_struct(
            {%- for name, value in columns.items() %}
            '{{ name }}', {{ value }}{{ ',' if not loop.last }}
            {%- endfor %}
        ),
        map('ignoreNullFields', 'false')
    )
{%- endmacro %}
