{#-
    A customer's rhythm. Intervals between purchase days are taken as exponential with a rate of the customer's own; the rate has a
    Gamma distribution of shape prior_shape and rate prior_scale, which is updated by the customer's n own intervals. The next
    interval of a customer who has not left then has a Lomax (Pareto II) distribution with shape prior_shape + n and scale
    prior_scale + sum of own intervals: Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6. The prior is (r, alpha) of the
    buy-till-you-die fit, which is that Gamma distribution; without a fit (prior_intervals, prior_intervals × mean interval).
    All arguments are SQL expressions, all results doubles.
-#}

{#- P(the next purchase comes within `days` of the last). -#}
{% macro cadence_probability(shape, scale, days) -%}
    1e0 - power({{ scale }} / ({{ scale }} + {{ days }}), {{ shape }})
{%- endmacro %}

{#- The days after the last purchase within which the next comes with `probability`; the inverse of cadence_probability. -#}
{% macro cadence_quantile(shape, scale, probability) -%}
    {{ scale }} * (power(1e0 - {{ probability }}, -1e0 / {{ shape }}) - 1e0)
{%- endmacro %}
