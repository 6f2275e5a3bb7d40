{#-
    Dates. Arguments are SQL expressions; every result is a `date` unless said otherwise. A null in gives a null out.
-#}

{#- Whole days from `start` to `finish` (bigint), negative where `finish` comes first. -#}
{% macro day_diff(start, finish) -%}
    {{ return(adapter.dispatch('day_diff')(start, finish)) }}
{%- endmacro %}

{% macro default__day_diff(start, finish) -%}
    {{ dbt.datediff(start, finish, 'day') }}
{%- endmacro %}

{% macro spark__day_diff(start, finish) -%}
    cast(datediff({{ finish }}, {{ start }}) as bigint)
{%- endmacro %}

{#- Whole calendar months from the month of `start` to the month of `finish` (integer); days do not count. -#}
{% macro month_diff(start, finish) -%}
    (
        (extract(year from {{ finish }}) - extract(year from {{ start }})) * 12
        + extract(month from {{ finish }}) - extract(month from {{ start }})
    )
{%- endmacro %}

{#- The day `days` days after `day`; `days` is an integer expression and may be negative. -#}
{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch('add_days')(day, days)) }}
{%- endmacro %}

{% macro default__add_days(day, days) -%}
    cast({{ dbt.dateadd('day', days, day) }} as date)
{%- endmacro %}

{% macro spark__add_days(day, days) -%}
    date_add({{ day }}, cast({{ days }} as integer))
{%- endmacro %}

{#- The same day of the month `months` later, or that month's last day. -#}
{% macro add_months(day, months) -%}
    {{ return(adapter.dispatch('add_months')(day, months)) }}
{%- endmacro %}

{% macro default__add_months(day, months) -%}
    cast({{ dbt.dateadd('month', months, day) }} as date)
{%- endmacro %}

{% macro spark__add_months(day, months) -%}
    add_months({{ day }}, cast({{ months }} as integer))
{%- endmacro %}

{#- First day of the `grain` (month, quarter, year) that holds `day`. -#}
{% macro period_start(grain, day) -%}
    cast({{ dbt.date_trunc(grain, day) }} as date)
{%- endmacro %}

{#- Last day of the `grain` (month, quarter, year) that holds `day`. -#}
{% macro period_end(grain, day) -%}
    {%- set months = {'month': 1, 'quarter': 3, 'year': 12}[grain] -%}
    {{ add_days(add_months(period_start(grain, day), months), -1) }}
{%- endmacro %}

{#- Whole years of age on `day` of someone born on `born_on` (integer). -#}
{% macro age_on(born_on, day) -%}
    (
        extract(year from {{ day }}) - extract(year from {{ born_on }})
        - case
            when extract(month from {{ day }}) * 100 + extract(day from {{ day }})
                < extract(month from {{ born_on }}) * 100 + extract(day from {{ born_on }}) then 1
            else 0
        end
    )
{%- endmacro %}

{#- An expression that makes a row of each month from that of `first_day` to that of `last_day`, both dates: the month's first day. -#}
{% macro month_series(first_day, last_day) -%}
    {{ return(adapter.dispatch('month_series')(first_day, last_day)) }}
{%- endmacro %}

{% macro default__month_series(first_day, last_day) -%}
    cast(
        unnest(generate_series({{ period_start('month', first_day) }}, {{ period_start('month', last_day) }}, interval '1' month))
        as date
    )
{%- endmacro %}

{% macro spark__month_series(first_day, last_day) -%}
    explode(sequence({{ period_start('month', first_day) }}, {{ period_start('month', last_day) }}, interval '1' month))
{%- endmacro %}

{#- An expression that makes a row of each day from `first_day` to `last_day`, both dates. -#}
{% macro day_series(first_day, last_day) -%}
    {{ return(adapter.dispatch('day_series')(first_day, last_day)) }}
{%- endmacro %}

{% macro default__day_series(first_day, last_day) -%}
    cast(unnest(generate_series({{ first_day }}, {{ last_day }}, interval '1' day)) as date)
{%- endmacro %}

{% macro spark__day_series(first_day, last_day) -%}
    explode(sequence({{ first_day }}, {{ last_day }}, interval '1' day))
{%- endmacro %}

{#- A timestamp in UTC as the clock on the wall of `timezone` (an IANA name) shows it. -#}
{% macro to_local_time(timestamp, timezone) -%}
    {{ return(adapter.dispatch('to_local_time')(timestamp, timezone)) }}
{%- endmacro %}

{% macro default__to_local_time(timestamp, timezone) -%}
    (({{ timestamp }}) at time zone 'UTC' at time zone {{ timezone }})
{%- endmacro %}

{% macro spark__to_local_time(timestamp, timezone) -%}
    {#- the session's time zone is UTC, so what is shown is what was shifted -#}
    from_utc_timestamp({{ timestamp }}, {{ timezone }})
{%- endmacro %}

{#- The business day on which a timestamp in UTC falls: the local date in `timezone`. -#}
{% macro business_day(timestamp, timezone) -%}
    cast({{ to_local_time(timestamp, timezone) }} as date)
{%- endmacro %}

{#-
    Whether a timestamp falls on the business day of `moment`, or on one before it; both in UTC. A timestamp that is not later than the
    moment need not be asked for its day, which takes an engine ten times as long as the comparison.
-#}
{% macro is_by_business_day(timestamp, moment, timezone) -%}
    ({{ timestamp }} <= {{ moment }} or {{ business_day(timestamp, timezone) }} <= {{ business_day(moment, timezone) }})
{%- endmacro %}

{#- Day of the week, 1 = Monday to 7 = Sunday (integer), as ISO 8601 counts. -#}
{% macro iso_weekday(day) -%}
    {{ return(adapter.dispatch('iso_weekday')(day)) }}
{%- endmacro %}

{% macro default__iso_weekday(day) -%}
    cast(extract(isodow from {{ day }}) as integer)
{%- endmacro %}

{% macro spark__iso_weekday(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}
