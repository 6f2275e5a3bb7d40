{% set kinds = {'earned': 'earn', 'redeemed': 'redeem', 'expired': 'expire', 'adjusted': 'adjust'} -%}
with

months as (
    select month_start, snapshot_on, is_complete from {{ ref('int_loyalty_months_listed') }}
),

movements as (
    select * from {{ ref('int_points_movements_ordered') }}
),

stretches as (
    select * from {{ ref('int_points_lots_consumed') }}
    where lot_id is not null and expires_on is not null
),

run_context as (
    select point_value, points_usage_target from {{ ref('run_context') }}
),

-- points are past their day from it on, or from their late coming, until a movement takes them
past_expiry as (
    select
        months.month_start,
        sum(stretches.points) as points_past_expiry
    from months
    inner join stretches
        on greatest(stretches.expires_on, stretches.issued_on) <= months.snapshot_on
        and (stretches.used_on is null or stretches.used_on > months.snapshot_on)
    group by months.month_start
),

moved as (
    select
        {{ period_start('month', 'occurred_on') }} as month_start,
        {% for name, type in kinds.items() %}
        sum(case when type = '{{ type }}' then {{ '-' if name in ('redeemed', 'expired') }}points else 0 end) as points_{{ name }},
        {% endfor %}
        sum(points) as points_moved
    from movements
    group by {{ period_start('month', 'occurred_on') }}
),

filled as (
    select
        months.month_start,
        months.is_complete,
        coalesce(moved.points_moved, 0) as points_moved,
        coalesce(past_expiry.points_past_expiry, 0) as points_past_expiry,
        {% for name in kinds %}
        coalesce(moved.points_{{ name }}, 0) as points_{{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from months
    left join moved on months.month_start = moved.month_start
    left join past_expiry on months.month_start = past_expiry.month_start
),

accumulated as (
    select
        *,
        (sum(points_moved) over to_date) - points_past_expiry as points_outstanding,
        {% for name in kinds %}
        sum(points_{{ name }}) over to_date as points_{{ name }}_to_date,
        {% endfor -%}
        sum(points_earned) over year_to_date as points_earned_12m,
        sum(points_redeemed) over year_to_date as points_redeemed_12m
    from filled
    window to_date as (
        order by month_start asc nulls last
        rows between unbounded preceding and current row
    ), year_to_date as (
        order by month_start asc nulls last
        rows between 11 preceding and current row
    )
),

rated as (
    select
        *,
        {{ ratio('points_redeemed_to_date', 'points_earned_to_date') }} as usage_rate,
        {{ ratio('points_redeemed_12m', 'points_earned_12m') }} as usage_rate_12m,
        {{ ratio('points_expired_to_date', 'points_earned_to_date') }} as breakage_rate
    from accumulated
),

final as (
    select
        rated.month_start as month,
        {% for name in [
            'earned', 'redeemed', 'expired', 'adjusted', 'outstanding', 'past_expiry', 'earned_to_date', 'redeemed_to_date',
            'expired_to_date', 'adjusted_to_date', 'earned_12m', 'redeemed_12m'
        ] -%}
        {{ total('rated.points_' ~ name) }} as points_{{ name }},
        {% endfor -%}
        rated.usage_rate,
        rated.usage_rate_12m,
        rated.breakage_rate,
        {{ product('rated.points_outstanding', 'run_context.point_value') }} as liability_amount,
        rated.usage_rate < cast(run_context.points_usage_target as double) as is_below_target,
        rated.is_complete
    from rated
    cross join run_context
)

select * from final
