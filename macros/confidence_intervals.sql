{#-
    Intervals. Arguments are SQL expressions of counts, sums or doubles; results are doubles, null where an argument is null.
    All are two-sided at 95%: of proportions (Wilson), counts (Poisson), weighted means, and differences. Those of predicted totals are
    in btyd.sql.
-#}

{#- The 97.5% quantile of the standard normal distribution: two-sided 95% intervals. -#}
{% macro z_95() -%}
    1.959963984540054e0
{%- endmacro %}

{#-
    Bounds of the 95% Wilson score interval of a proportion (Wilson 1927): `successes` of `trials`, both counts.
    Doubles in 0..1; null where there were no trials. Never of zero width; exactly 0 of none, and exactly 1 of all.
-#}
{% macro wilson_low(successes, trials) -%}
    {{ _wilson_distance(successes, trials) }}
{%- endmacro %}

{% macro wilson_high(successes, trials) -%}
    (1e0 - {{ _wilson_distance('(' ~ trials ~ ') - (' ~ successes ~ ')', trials) }})
{%- endmacro %}

{#-
    How far the interval of `count` of `trials` stays from 0, and that of its complement from 1. The bounds are the roots of a quadratic
    equation; this is the lesser one, as the product of both over the greater: their difference would leave a rounding error below 0.
-#}
{% macro _wilson_distance(count, trials) -%}
    {%- set n = "nullif(cast(" ~ trials ~ " as double), 0e0)" -%}
    {%- set p = "(cast(" ~ count ~ " as double) / " ~ n ~ ")" -%}
    {%- set z = z_95() -%}
    ({{ p }} * {{ p }} / (
        {{ p }} + {{ z }} * {{ z }} / (2e0 * {{ n }})
        + {{ z }} * sqrt({{ p }} * (1e0 - {{ p }}) / {{ n }} + {{ z }} * {{ z }} / (4e0 * {{ n }} * {{ n }}))
    ))
{%- endmacro %}

{#-
    Bounds of the 95% interval of the mean of a Poisson count: for what may happen more than once to one, where a share would be wrong.
    Byar's approximation of the exact interval (Breslow and Day 1987, Statistical Methods in Cancer Research II, section 2.3), within
    0.03 of it. `events` is a SQL expression of a count; doubles, null where it is null.
-#}
{% macro poisson_low(events) -%}
    case
        when {{ events }} > 0
            then {{ events }} * power(greatest(1e0 - 1e0 / (9e0 * {{ events }}) - {{ z_95() }} / (3e0 * sqrt({{ events }})), 0e0), 3e0)
        when {{ events }} = 0 then 0e0
    end
{%- endmacro %}

{% macro poisson_high(events) -%}
    ({{ events }} + 1e0)
    * power(1e0 - 1e0 / (9e0 * ({{ events }} + 1e0)) + {{ z_95() }} / (3e0 * sqrt({{ events }} + 1e0)), 3e0)
{%- endmacro %}

{#- `value`, or the end of the scale that it lies beyond. -#}
{% macro bounded(value, lowest, highest) -%}
    {#- not least() and greatest(), which make an end of the scale out of a null -#}
    case
        when {{ value }} < {{ lowest }} then {{ lowest }}
        when {{ value }} > {{ highest }} then {{ highest }}
        else {{ value }}
    end
{%- endmacro %}

{#-
    Responses of equal weight that tell as much as these do (Kish 1965, Survey Sampling, section 8.2): their number where all
    weigh the same, near 1 where one outweighs the rest. `weight` is the sum of the weights, `squared_weight` that of their
    squares.
-#}
{% macro effective_size(weight, squared_weight) -%}
    {{ ratio(weight ~ ' * ' ~ weight, squared_weight) }}
{%- endmacro %}

{#-
    A weighted mean after one response of each score in `added` (a list of numbers that spans the scale) has been joined to it: the
    middle of an interval that is never without width (Agresti and Caffo 2000 do so to proportions). An added response weighs
    squared_weight / weight, 1 where all weigh 1, so that they are added to effective_size responses, however the weights differ.
    `weighted_score` is the sum of weight × score. For a mean without weights, each sum of weights is a count. Null without weight.
-#}
{% macro adjusted_mean(weight, squared_weight, weighted_score, added) -%}
    {%- set added_weight = _added_weight(weight, squared_weight) -%}
    ({{ weighted_score }} + {{ added | sum }}e0 * {{ added_weight }}) / ({{ weight }} + {{ added | length }}e0 * {{ added_weight }})
{%- endmacro %}

{#-
    Its squared standard error. The variance is that of a ratio of sums, linearised (Cochran 1977, Sampling Techniques, section
    6.4): the sum of squared_weight × (score less adjusted_mean)² over the squared sum of weights, added responses among them.
    `squared_weight_score` is the sum of weight² × score, the next that of weight² × score². Never zero: the added responses differ.
-#}
{% macro adjusted_squared_error(
    adjusted_mean, weight, squared_weight, squared_weight_score, squared_weight_squared_score, added
) -%}
    {%- set added_weight = _added_weight(weight, squared_weight) -%}
    {%- set total = "(" ~ weight ~ " + " ~ added | length ~ "e0 * " ~ added_weight ~ ")" -%}
    (
        {{ squared_weight_squared_score }}
        - 2e0 * {{ adjusted_mean }} * ({{ squared_weight_score }})
        + {{ adjusted_mean }} * {{ adjusted_mean }} * {{ squared_weight }}
        + {{ added_weight }} * {{ added_weight }} * (
            {%- for score in added %}
            ({{ score }}e0 - {{ adjusted_mean }}) * ({{ score }}e0 - {{ adjusted_mean }}){{ ' +' if not loop.last }}
            {%- endfor %}
        )
    ) / ({{ total }} * {{ total }})
{%- endmacro %}

{% macro _added_weight(weight, squared_weight) -%}
    ({{ squared_weight }} / nullif({{ weight }}, 0e0))
{%- endmacro %}

{#-
    Bounds of `estimate` - `other_estimate` from the interval of each (Zou and Donner 2008). With Wilson intervals it is that of
    Newcombe (1998) for the difference of two proportions. Holds the difference itself, and stays on the scale if the two
    intervals do.
-#}
{% macro difference_low(estimate, estimate_low, other_estimate, other_estimate_high) -%}
    {{ estimate }} - {{ other_estimate }} - sqrt(
        ({{ estimate }} - {{ estimate_low }}) * ({{ estimate }} - {{ estimate_low }})
        + ({{ other_estimate_high }} - {{ other_estimate }}) * ({{ other_estimate_high }} - {{ other_estimate }})
    )
{%- endmacro %}

{% macro difference_high(estimate, estimate_high, other_estimate, other_estimate_low) -%}
    {{ estimate }} - {{ other_estimate }} + sqrt(
        ({{ estimate_high }} - {{ estimate }}) * ({{ estimate_high }} - {{ estimate }})
        + ({{ other_estimate }} - {{ other_estimate_low }}) * ({{ other_estimate }} - {{ other_estimate_low }})
    )
{%- endmacro %}

{#-
    The 97.5% quantile of Student's t distribution, for any number of degrees of freedom from 1, whole or not (Welch's are not).
    The exponential of a polynomial in 1 / degrees of freedom that meets the logarithm of SciPy's quantile at Chebyshev's points;
    off by less than 2e-8 of the quantile. Hill's (1970) expansion is off by up to 1e-6 at whole numbers, and by a fifth near 1.
-#}
{% macro t_95(degrees_of_freedom) -%}
    {%- set coefficients = [
        0.672926081, 1.210368833, 0.707412458, 0.154981954, -0.256834298, 0.032173630,
        -0.107524856, 0.343031327, -0.340879844, 0.153949802, -0.027514656
    ] -%}
    {%- set terms = namespace(sum=coefficients[-1] ~ 'e0') -%}
    {%- for coefficient in coefficients[:-1] | reverse -%}
        {%- set terms.sum = coefficient ~ 'e0 + (' ~ terms.sum ~ ') / ' ~ degrees_of_freedom -%}
    {%- endfor -%}
    exp({{ terms.sum }})
{%- endmacro %}

{#-
    Welch's (1947) degrees of freedom of the difference of two means whose spread may differ, from the squared standard error of each
    and its degrees of freedom. At least the smaller of the two; null where either has no error.
-#}
{% macro welch_degrees_of_freedom(squared_error, degrees_of_freedom, other_squared_error, other_degrees_of_freedom) -%}
    ({{ squared_error }} + {{ other_squared_error }}) * ({{ squared_error }} + {{ other_squared_error }}) / (
        {{ squared_error }} * {{ squared_error }} / {{ degrees_of_freedom }}
        + {{ other_squared_error }} * {{ other_squared_error }} / {{ other_degrees_of_freedom }}
    )
{%- endmacro %}
