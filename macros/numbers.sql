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

{#-
    Sums of doubles. A plain one adds in the order in which threads find the rows, so that its last digits differ from run to run. Where
    the values come of decimals of few digits, sum these instead.
-#}

{#-
    The sum of doubles whose size is known by what they mean, as a double: each is rounded to `decimals` (a number), and any order gives one
    sum of these. With 18 of them a value may be 10^19, with 12 10^25.
-#}
{% macro sum_rounded(value, decimals=18) -%}
    cast(sum(cast({{ value }} as decimal(38, {{ decimals }}))) as double)
{%- endmacro %}

{#- The sum of doubles of any size, which are added from the least to the greatest. For few groups: each is sorted. -#}
{% macro sum_in_order(value) -%}
    {{ return(adapter.dispatch('sum_in_order')(value)) }}
{%- endmacro %}

{% macro default__sum_in_order(value) -%}
    sum({{ value }} order by {{ value }} asc nulls last)
{%- endmacro %}

{% macro spark__sum_in_order(value) -%}
    case when count({{ value }}) > 0 then
        aggregate(array_sort(collect_list(cast({{ value }} as double))), 0D, (so_far, added) -> so_far + added)
    end
{%- endmacro %}

{#- The mean of doubles of any size, which are added from the least to the greatest. -#}
{% macro mean_in_order(value) -%}
    {{ sum_in_order(value) }} / nullif(count({{ value }}), 0)
{%- endmacro %}

{#- The variance of a sample of doubles of any size, taken from the least to the greatest (Welford 1962). -#}
{% macro variance_in_order(value) -%}
    {{ return(adapter.dispatch('variance_in_order')(value)) }}
{%- endmacro %}

{% macro default__variance_in_order(value) -%}
    var_samp({{ value }} order by {{ value }} asc nulls last)
{%- endmacro %}

{% macro spark__variance_in_order(value) -%}
    aggregate(
        array_sort(collect_list(cast({{ value }} as double))),
        named_struct('n', 0D, 'mean', 0D, 'squares', 0D),
        (so_far, added) -> named_struct(
            'n', so_far.n + 1D,
            'mean', so_far.mean + (added - so_far.mean) / (so_far.n + 1D),
            'squares', so_far.squares + (added - so_far.mean) * (added - so_far.mean) * so_far.n / (so_far.n + 1D)
        ),
        so_far -> case when so_far.n > 1D then so_far.squares / (so_far.n - 1D) end
    )
{%- endmacro %}

{#- The median of the values of a group, as a double; nulls do not count. -#}
{% macro median(value) -%}
    percentile_cont(0.5) within group (order by cast({{ value }} as double))
{%- endmacro %}
