{#-
    A customer's rhythm. Intervals between purchase days are taken as exponential with a rate of the customer's own; the rate has a
    Gamma distribution that starts at the population's mean interval, worth `prior_intervals` intervals, and is updated by the
    customer's own intervals. The next interval then has a Lomax (Pareto II) distribution with shape prior_intervals + n and scale
    prior_intervals × population mean + sum of own intervals: Gelman et al., Bayesian Data Analysis, 3rd ed., section 2.6.
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
