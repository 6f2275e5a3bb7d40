{#-
    Texts with numbers in them. Arguments are SQL expressions unless said otherwise; every result is a text.
-#}

{#- A count with its English noun: 1 day, 35 days. `noun` is a word of the template. -#}
{% macro counted(number, noun) -%}
    cast({{ number }} as {{ dbt.type_string() }}) || case when {{ number }} = 1 then ' {{ noun }}' else ' {{ noun }}s' end
{%- endmacro %}

{#- An amount of money in whole units after its currency: CNY 1200. -#}
{% macro worded_amount(currency, amount) -%}
    {{ currency }} || ' ' || cast(cast({{ amount }} as decimal(38, 0)) as {{ dbt.type_string() }})
{%- endmacro %}

{#-
    `template` with its placeholders filled in. `texts` is a dict of placeholder, without braces, to SQL expression. One that is null
    fills in nothing, as replacing by null would make the whole text null.
-#}
{% macro filled_in(template, texts) -%}
    {%- set text = namespace(sql=template) -%}
    {%- for placeholder, expression in texts.items() -%}
        {%- set filling = "coalesce(cast(" ~ expression ~ " as " ~ dbt.type_string() ~ "), '')" -%}
        {%- set text.sql = "replace(" ~ text.sql ~ ", '{" ~ placeholder ~ "}', " ~ filling ~ ")" -%}
    {%- endfor -%}
    {{ text.sql }}
{%- endmacro %}
