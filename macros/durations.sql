{#-
    Time of the clock. Arguments are SQL expressions; a null in gives a null out.
-#}

{#- Hours from one timestamp to another (double), to the microsecond; negative where `finish` comes first. -#}
{% macro hours_between(start, finish) -%}
    {{ return(adapter.dispatch('hours_between')(start, finish)) }}
{%- endmacro %}

{% macro default__hours_between(start, finish) -%}
    (epoch_us({{ finish }}) - epoch_us({{ start }})) / 3.6e9
{%- endmacro %}

{% macro spark__hours_between(start, finish) -%}
    (unix_micros({{ finish }}) - unix_micros({{ start }})) / 3.6e9
{%- endmacro %}

{#- The moment at which `day` ends in `timezone` (an IANA name), as a timestamp in UTC. -#}
{% macro end_of_day(day, timezone) -%}
    {{ return(adapter.dispatch('end_of_day')(day, timezone)) }}
{%- endmacro %}

{% macro default__end_of_day(day, timezone) -%}
    (cast({{ add_days(day, 1) }} as timestamp) at time zone {{ timezone }} at time zone 'UTC')
{%- endmacro %}

{% macro spark__end_of_day(day, timezone) -%}
    to_utc_timestamp(cast({{ add_days(day, 1) }} as timestamp), {{ timezone }})
{%- endmacro %}
