with

stretches as (
    select * from {{ ref('int_points_lots_consumed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

dated_stretches as (
    select
        stretches.*,
        {{ period_end('month', 'stretches.expires_on') }} as expiry_month_end,
        run_context.as_of_date
    from stretches
    cross join run_context
    where stretches.lot_id is not null and stretches.expires_on is not null
),

-- the past: of lots whose date has come, how many points lived how long and were used how long before the end of their month
settled as (
    select
        {{ day_diff('issued_on', 'expiry_month_end') }} as issued_days_before,
        {{ day_diff('used_on', 'expiry_month_end') }} as used_days_before,
        sum(points) as points,
        sum(case when use_type = 'redeem' then points else 0 end) as redeemed_points
    from dated_stretches
    where expires_on <= as_of_date
    group by {{ day_diff('issued_on', 'expiry_month_end') }}, {{ day_diff('used_on', 'expiry_month_end') }}
),

open_lots as (
    select
        substr(cast(expires_on as {{ dbt.type_string() }}), 1, 7) as expiry_bucket,
        expires_on <= as_of_date as is_past_expiry,
        case
            when expiry_month_end > as_of_date then {{ day_diff('as_of_date', 'expiry_month_end') }}
            else 0
        end as days_left
    from dated_stretches
    where use_id is null
),

buckets as (
    select
        expiry_bucket,
        is_past_expiry,
        days_left
    from open_lots
    group by expiry_bucket, is_past_expiry, days_left
),

final as (
    select
        buckets.expiry_bucket,
        buckets.is_past_expiry,
        {{ total('sum(settled.points)') }} as settled_points,
        {{ total('sum(settled.redeemed_points)') }} as settled_redeemed_points
    from buckets
    inner join settled
        on settled.issued_days_before >= buckets.days_left
        and (settled.used_days_before < buckets.days_left or settled.used_days_before is null)
    group by buckets.expiry_bucket, buckets.is_past_expiry
)

select * from final
