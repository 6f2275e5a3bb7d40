{#-
    Intervals. Arguments are SQL expressions of counts, sums or doubles; results are doubles, null where an argument is null.
    All are two-sided at 95%. The interval of a proportion alone is in numbers.sql.
-#}

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
    Promoters less detractors as a share, -1 to 1, after one response has been added to each of the three groups: the middle of
    the interval of NPS (Agresti and Caffo 2000 do so to proportions). An added response weighs squared_weight / weight, 1 where
    all weigh 1, so that three are added to effective_size responses, however the weights differ. For NPS without weights, each
    sum is a count.
-#}
{% macro adjusted_nps(weight, squared_weight, promoter_weight, detractor_weight) -%}
    ({{ promoter_weight }} - {{ detractor_weight }})
    / nullif({{ weight }} + 3e0 * {{ squared_weight }} / nullif({{ weight }}, 0e0), 0e0)
{%- endmacro %}

{#-
    Half the width of that interval, -1 to 1. The variance is that of a ratio of sums, linearised (Cochran 1977, Sampling
    Techniques, section 6.4): the sum of squared_weight × (1, 0 or -1 less adjusted_nps)² over the squared sum of weights, added
    responses among them. Where all weigh the same this is the multinomial variance. Never zero: the added responses differ.
-#}
{% macro adjusted_nps_margin(
    adjusted_nps, weight, squared_weight, promoter_squared_weight, passive_squared_weight, detractor_squared_weight
) -%}
    {%- set added = "(" ~ squared_weight ~ " / nullif(" ~ weight ~ ", 0e0))" -%}
    {{ z_95() }} * sqrt(
        ({{ promoter_squared_weight }} + {{ added }} * {{ added }}) * (1e0 - {{ adjusted_nps }}) * (1e0 - {{ adjusted_nps }})
        + ({{ passive_squared_weight }} + {{ added }} * {{ added }}) * {{ adjusted_nps }} * {{ adjusted_nps }}
        + ({{ detractor_squared_weight }} + {{ added }} * {{ added }}) * (1e0 + {{ adjusted_nps }}) * (1e0 + {{ adjusted_nps }})
    ) / ({{ weight }} + 3e0 * {{ added }})
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
