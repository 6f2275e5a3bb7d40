with

stretches as (
    select * from {{ ref('int_points_lots_consumed') }}
),

run_context as (
    select as_of_date, point_value from {{ ref('run_context') }}
),

dated_stretches as (
    select
        stretches.*,
        {{ period_end('month', 'stretches.expires_on') }} as expiry_month_end,
        run_context.as_of_date
    from stretches
    cross join run_context
    where stretches.lot_id is not null
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
        coalesce(substr(cast(expires_on as {{ dbt.type_string() }}), 1, 7), 'no expiry') as expiry_bucket,
        coalesce(expires_on <= as_of_date, false) as is_past_expiry,
        {{ period_start('month', 'expires_on') }} as expiry_month,
        case
            when expiry_month_end > as_of_date then {{ day_diff('as_of_date', 'expiry_month_end') }}
            when expiry_month_end <= as_of_date then 0
        end as days_left,
        points
    from dated_stretches
    where use_id is null
),

buckets as (
    select
        expiry_bucket,
        is_past_expiry,
        expiry_month,
        days_left,
        count(*) as lots,
        sum(points) as outstanding_points
    from open_lots
    group by expiry_bucket, is_past_expiry, expiry_month, days_left
),

-- whoever still has a point is not whoever had one to begin with: what counts is what became of points that were as old and left
expectations as (
    select
        buckets.expiry_bucket,
        buckets.is_past_expiry,
        sum(settled.points) as settled_points,
        sum(settled.redeemed_points) as settled_redeemed_points
    from buckets
    inner join settled
        on settled.issued_days_before >= buckets.days_left
        and (settled.used_days_before < buckets.days_left or settled.used_days_before is null)
    group by buckets.expiry_bucket, buckets.is_past_expiry
),

expected as (
    select
        buckets.expiry_bucket,
        buckets.expiry_month,
        buckets.is_past_expiry,
        buckets.lots,
        cast(buckets.outstanding_points as decimal(18, 4)) as outstanding_points,
        cast(expectations.settled_points as decimal(18, 4)) as settled_points,
        cast(expectations.settled_redeemed_points as decimal(18, 4)) as settled_redeemed_points,
        {{ ratio('expectations.settled_redeemed_points', 'expectations.settled_points') }} as expected_redemption_rate
    from buckets
    left join expectations
        on buckets.expiry_bucket = expectations.expiry_bucket
        and buckets.is_past_expiry = expectations.is_past_expiry
),

redeemable as (
    select
        *,
        cast(cast(outstanding_points as double) * expected_redemption_rate as decimal(18, 4)) as expected_redeemed_points
    from expected
),

final as (
    select
        redeemable.expiry_bucket,
        redeemable.is_past_expiry,
        redeemable.expiry_month,
        redeemable.lots,
        redeemable.outstanding_points,
        redeemable.settled_points,
        redeemable.settled_redeemed_points,
        redeemable.expected_redemption_rate,
        redeemable.expected_redeemed_points,
        cast(redeemable.outstanding_points - redeemable.expected_redeemed_points as decimal(18, 4)) as expected_breakage_points,
        {{ money('redeemable.outstanding_points * run_context.point_value') }} as liability_amount,
        {{ money('redeemable.expected_redeemed_points * run_context.point_value') }} as expected_liability_amount
    from redeemable
    cross join run_context
)

{{ select_with_labels('final') }}
