{% set period_days = 30 %}
{#- days since a member last earned or redeemed, from which the second, third and fourth band begin -#}
{% set bands_begin = [31, 91, 181] %}

with

movements as (
    select * from {{ ref('int_points_movements_ordered') }}
),

stretches as (
    select * from {{ ref('int_points_lots_consumed') }}
),

periods as (
    select period_number from {{ ref('int_points_periods_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- days are counted back from the as-of date; what the company books, expiries and adjustments, tells nothing about the member
active_days as (
    select
        movements.member_id,
        {{ day_diff('movements.occurred_on', 'run_context.as_of_date') }} as days_back
    from movements
    cross join run_context
    where movements.type in ('earn', 'redeem')
    group by movements.member_id, {{ day_diff('movements.occurred_on', 'run_context.as_of_date') }}
),

dated_activity as (
    select
        member_id,
        days_back,
        coalesce(lag(days_back) over (partition by member_id order by days_back asc nulls last), -1) as next_days_back
    from active_days
),

-- the activity that was the last at the end of each period
member_periods as (
    select
        dated_activity.member_id,
        periods.period_number as periods_back,
        case
            {% for days in bands_begin -%}
            when dated_activity.days_back - periods.period_number * {{ period_days }} < {{ days }} then {{ loop.index }}
            {% endfor -%}
            else {{ bands_begin | length + 1 }}
        end as quiet_band
    from dated_activity
    inner join periods
        on periods.period_number * {{ period_days }} > dated_activity.next_days_back
        and periods.period_number * {{ period_days }} <= dated_activity.days_back
),

-- points used before they came were never there to be redeemed
dated_stretches as (
    select
        stretches.member_id,
        stretches.stretch_number,
        stretches.points,
        stretches.use_type,
        {{ day_diff('stretches.issued_on', 'run_context.as_of_date') }} as issued_back,
        {{ day_diff('stretches.expires_on', 'run_context.as_of_date') }} as expires_back,
        case
            when stretches.use_id is not null
                then {{ day_diff('greatest(stretches.used_on, stretches.issued_on)', 'run_context.as_of_date') }}
        end as used_back
    from stretches
    cross join run_context
    where stretches.lot_id is not null and stretches.expires_on is not null
),

ended_stretches as (
    select
        *,
        case
            when used_back >= expires_back then used_back
            when expires_back >= 0 then expires_back
        end as ended_back,
        case
            when used_back >= expires_back and use_type = 'redeem' then 'redeemed'
            when used_back >= expires_back then 'taken'
            when expires_back >= 0 then 'expired'
            else 'open'
        end as outcome
    from dated_stretches
),

final as (
    select
        ended_stretches.member_id,
        ended_stretches.stretch_number,
        periods.period_number as periods_back,
        -- an adjustment is all that some have
        cast(coalesce(member_periods.quiet_band, {{ bands_begin | length + 1 }}) as bigint) as quiet_band,
        cast(periods.period_number - floor(ended_stretches.expires_back / {{ period_days }}e0) as bigint) as periods_left,
        cast(
            case
                when ended_stretches.outcome = 'expired'
                    then periods.period_number - floor(ended_stretches.expires_back / {{ period_days }}e0)
                else periods.period_number - floor(coalesce(ended_stretches.ended_back, 0) / {{ period_days }}e0)
            end as bigint
        ) as periods_followed,
        ended_stretches.outcome,
        ended_stretches.points
    from ended_stretches
    inner join periods
        on periods.period_number * {{ period_days }} <= ended_stretches.issued_back
        and periods.period_number * {{ period_days }} > coalesce(ended_stretches.ended_back, -1)
    left join member_periods
        on ended_stretches.member_id = member_periods.member_id and periods.period_number = member_periods.periods_back
    where periods.period_number - floor(ended_stretches.expires_back / {{ period_days }}e0) < 120
)

select * from final
