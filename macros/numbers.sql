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

{#- The 97.5% quantile of the standard normal distribution: two-sided 95% intervals. -#}
{% macro z_95() -%}
    1.959963984540054e0
{%- endmacro %}

{#-
    Bounds of the 95% Wilson score interval of a proportion (Wilson 1927): `successes` of `trials`, both counts.
    Doubles in 0..1; null where there were no trials. Never of zero width.
-#}
{% macro wilson_low(successes, trials) -%}
    {{ _wilson_bound(successes, trials, '-') }}
{%- endmacro %}

{% macro wilson_high(successes, trials) -%}
    {{ _wilson_bound(successes, trials, '+') }}
{%- endmacro %}

{% macro _wilson_bound(successes, trials, sign) -%}
    {%- set n = "nullif(cast(" ~ trials ~ " as double), 0e0)" -%}
    {%- set p = "(cast(" ~ successes ~ " as double) / " ~ n ~ ")" -%}
    {%- set z = z_95() -%}
    (
        ({{ p }} + {{ z }} * {{ z }} / (2e0 * {{ n }}))
        {{ sign }} {{ z }} * sqrt({{ p }} * (1e0 - {{ p }}) / {{ n }} + {{ z }} * {{ z }} / (4e0 * {{ n }} * {{ n }}))
    ) / (1e0 + {{ z }} * {{ z }} / {{ n }})
{%- endmacro %}

{#- The median of the values of a group, as a double; nulls do not count. -#}
{% macro median(value) -%}
    percentile_cont(0.5) within group (order by cast({{ value }} as double))
{%- endmacro %}
