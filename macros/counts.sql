{#-
    Bounds of the 95% interval of the mean of a Poisson count: for what may happen more than once to one, where a share would be wrong.
    Byar's approximation of the exact interval (Breslow and Day 1987, Statistical Methods in Cancer Research II, section 2.3), within
    0.03 of it. `events` is a SQL expression of a count; doubles, null where it is null.
-#}
{% macro poisson_low(events) -%}
    case
        when {{ events }} > 0
            then {{ events }} * power(1e0 - 1e0 / (9e0 * {{ events }}) - {{ z_95() }} / (3e0 * sqrt({{ events }})), 3e0)
        when {{ events }} = 0 then 0e0
    end
{%- endmacro %}

{% macro poisson_high(events) -%}
    ({{ events }} + 1e0)
    * power(1e0 - 1e0 / (9e0 * ({{ events }} + 1e0)) + {{ z_95() }} / (3e0 * sqrt({{ events }} + 1e0)), 3e0)
{%- endmacro %}
