{#-
    Numbers. Arguments are SQL expressions.

    Amounts, points, quantities and weights have four decimals, so that a unit cost or a share of a cent is kept, and are never floating
    point. The types are wide enough for whatever keeps the raw contract: its maxima are 10^12 at most, and settings have maxima too.
-#}

{#- One value of one row: what raw.yml lets through, or a sum or difference of a few such. -#}
{% macro money(amount) -%}
    cast({{ amount }} as decimal(18, 4))
{%- endmacro %}

{#- What comes of several rows, or of a product: a sum, a difference of sums, what is due for all points. It is the type that a sum has. -#}
{% macro total(amount) -%}
    cast({{ amount }} as decimal(38, 4))
{%- endmacro %}

{#-
    An amount, or a total below 10^20, times a factor below 10^7 with up to six decimals (a share, a quantity, the worth of a point): exact,
    then rounded once. The digits of the two sides and one more are 38, beyond which engines lose decimals or fail.
-#}
{% macro product(amount, factor) -%}
    {{ total('cast(' ~ amount ~ ' as decimal(24, 4)) * cast(' ~ factor ~ ' as decimal(13, 6))') }}
{%- endmacro %}

{#- `numerator` over `denominator` as a double, null where the denominator is null or zero. -#}
{% macro ratio(numerator, denominator) -%}
    cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0e0)
{%- endmacro %}

{#- A total per unit, rounded to four decimals; null where there are no units. -#}
{% macro money_per(amount, units) -%}
    {{ total('cast(' ~ amount ~ ' as double) / nullif(cast(' ~ units ~ ' as double), 0e0)') }}
{%- endmacro %}

{#- The median of the values of a group, as a double; nulls do not count. -#}
{% macro median(value) -%}
    percentile_cont(0.5) within group (order by cast({{ value }} as double))
{%- endmacro %}
