{#-
    Numbers. Arguments are SQL expressions.
-#}

{#- Money as every model holds it. Four decimals, so that a unit cost or a share of a cent is kept; never floating point. -#}
{% macro money(amount) -%}
    cast({{ amount }} as decimal(18, 4))
{%- endmacro %}

{#- `numerator` over `denominator` as a double, null where the denominator is null or zero. -#}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0e0)
{%- endmacro %}

{#- Money per unit, rounded to money's decimals; null where there are no units. -#}
{% macro money_per(amount, units) -%}
    {{ money('cast(' ~ amount ~ ' as double) / nullif(cast(' ~ units ~ ' as double), 0e0)') }}
{%- endmacro %}

{#- The median of the values of a group, as a double; nulls do not count. -#}
{% macro median(value) -%}
    percentile_cont(0.5) within group (order by cast({{ value }} as double))
{%- endmacro %}
