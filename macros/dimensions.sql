{#- Dimensions: what customers, survey responses and tickets are counted by. -#}

{#-
    One row per row of `relation` and dimension, `unknown` where the value is null.
    `key`: the key of `relation`. `columns`: maps each dimension to the SQL expression of its value, a text.
-#}
{% macro values_by_dimension(relation, key, columns) -%}
    {% for dimension, column in columns.items() -%}
    select
        {{ key }},
        '{{ dimension }}' as dimension,
        coalesce({{ column }}, 'unknown') as dimension_value
    from {{ relation }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}
{%- endmacro %}
