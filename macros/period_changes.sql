{#-
    How a score of a period differs from that of the period before, and which of many such changes are more than chance. Used by `nps`,
    `csat` and `ces`. A macro that is the body of a CTE has CTEs of its own, whose names a model must not use.
-#}

{#-
    Body of a CTE: the rows of `relation` (the name of a CTE), each with `columns` (a list) of the same cut one period before as
    previous_<column>. `relation` has one row per period_grain, period_start, dimension and dimension_value, so at most one row comes
    before; a period without responses is no period to compare with. previous_period_start is null where nothing can come before.
-#}
{% macro with_previous_period(relation, columns) -%}
    select
        {{ relation }}.*,
        {%- for column in columns %}
        previous_period.{{ column }} as previous_{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ relation }}
    left join {{ relation }} as previous_period
        on {{ relation }}.period_grain = previous_period.period_grain
        and {{ relation }}.previous_period_start = previous_period.period_start
        and {{ relation }}.dimension = previous_period.dimension
        and {{ relation }}.dimension_value = previous_period.dimension_value
{%- endmacro %}

{#-
    Body of a CTE: the rows of `relation`, each with p_value, q_value and is_flagged; null where there is no change to judge. `relation`
    has period_grain, period_start, dimension, and with previous_ before it as well, adjusted_mean and adjusted_squared_error: those of
    confidence_intervals.sql, weighted, and not cut off at the ends of the scale, where an error would be taken for smaller than it is.
    Both macros below say the rest.
-#}
{% macro with_tested_changes(relation) -%}
    with standardised as (
        select
            *,
            (adjusted_mean - previous_adjusted_mean)
            / sqrt(adjusted_squared_error + previous_adjusted_squared_error) as standardised_change
        from {{ relation }}
    ),

    with_p_values as (
        select
            *,
            {{ two_sided_p_value('standardised_change') }} as p_value
        from standardised
    ),

    with_q_values as (
        {{ with_q_values('with_p_values', ['period_grain', 'period_start', "dimension = 'all'"]) }}
    )

    select
        *,
        q_value < 5e-2 as is_flagged
    from with_q_values
{%- endmacro %}

{#-
    P(a standard normal number lies farther from 0 than `z`), erfc(|z| / √2), from 0 to 1; exactly 1 at 0. With t = 1 / (1 + |z| / √8)
    it is t × exp(-z² / 2 + a function of t), the form of Press et al. (1992, Numerical Recipes, 2nd ed., section 6.2). The function is
    (1 - t) × a polynomial that meets SciPy's erfc at Chebyshev's points; off by less than 1e-10 of the value for |z| up to 36.
-#}
{% macro two_sided_p_value(z) -%}
    {%- set coefficients = [
        -1.265512123472, -0.265512130113, 0.109488486602, 0.192797864768, 0.107368954180, -0.043078707419,
        -0.076137536952, -0.404791485726, 1.287659989904, -3.500143557006, 7.649592152058, -10.675169798588,
        9.254559591537, -4.906825039481, 1.471544010934, -0.192599005474
    ] -%}
    {%- set t = "(1e0 / (1e0 + abs(" ~ z ~ ") / sqrt(8e0)))" -%}
    {%- set terms = namespace(sum=coefficients[-1] ~ 'e0') -%}
    {%- for coefficient in coefficients[:-1] | reverse -%}
        {%- set terms.sum = coefficient ~ 'e0 + (' ~ terms.sum ~ ') * ' ~ t -%}
    {%- endfor -%}
    {{ t }} * exp((1e0 - {{ t }}) * ({{ terms.sum }}) - {{ z }} * {{ z }} / 2e0)
{%- endmacro %}

{#-
    Body of a CTE: the rows of `relation`, each with q_value, its p_value adjusted by Benjamini and Hochberg (1995) within its `family`
    (a list of expressions): the smallest share of false ones, in the mean, among the changes at least as improbable as this one. The
    family's k-th smallest p of m becomes p × m / k, and no greater than that of any greater p; equal p's take the rank of the last. A
    null p_value is no member of the family and has no q_value. Never below p_value, never above 1.
-#}
{% macro with_q_values(relation, family) -%}
    {%- set by_p = "partition by " ~ family | join(', ') ~ " order by p_value asc nulls last" -%}
    with ranked as (
        select
            *,
            count(p_value) over (partition by {{ family | join(', ') }}) as p_values,
            count(p_value) over ({{ by_p }} range between unbounded preceding and current row) as p_values_up_to_this
        from {{ relation }}
    )

    select
        *,
        case
            when p_value is not null
                then min(p_value * p_values / p_values_up_to_this) over (
                    {{ by_p }} range between current row and unbounded following
                )
        end as q_value
    from ranked
{%- endmacro %}
