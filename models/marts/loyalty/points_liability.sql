with

open_lots as (
    select * from {{ ref('int_points_lots_expected') }}
),

settled as (
    select * from {{ ref('int_points_lots_settled') }}
),

run_context as (
    select point_value from {{ ref('run_context') }}
),

buckets as (
    select
        expiry_bucket,
        is_past_expiry,
        expiry_month,
        count(*) as lots,
        sum(points) as points,
        -- points of which one lot is unknown are unknown; where all are redeemed, rounding may not make more of them
        case
            when count(redemption_rate) = count(*)
                then least({{ sum_in_order('cast(points as double) * redemption_rate') }}, cast(sum(points) as double))
        end as redeemed_points
    from open_lots
    group by expiry_bucket, is_past_expiry, expiry_month
),

members as (
    select
        expiry_bucket,
        is_past_expiry,
        member_id,
        cast(sum(points) as double) as points,
        {{ sum_rounded('cast(points as double) * redemption_rate', 12) }} as redeemed_points
    from open_lots
    group by expiry_bucket, is_past_expiry, member_id
),

-- what the members may do: at most, each redeems everything or nothing
member_spread as (
    select
        expiry_bucket,
        is_past_expiry,
        {{ sum_in_order('points * points') }} as squared_points,
        {{ sum_in_order('redeemed_points * greatest(points - redeemed_points, 0e0)') }} as variance
    from members
    group by expiry_bucket, is_past_expiry
),

-- how well the rates are known: errors of all states add up, since they may come from the same members
rate_spread as (
    select
        expiry_bucket,
        is_past_expiry,
        {{ sum_in_order('cast(points as double) * sqrt(redemption_rate * (1e0 - redemption_rate) / effective_members)') }} as standard_error
    from open_lots
    group by expiry_bucket, is_past_expiry
),

spread as (
    select
        buckets.*,
        cast(buckets.points as double) as all_points,
        member_spread.squared_points,
        member_spread.variance + rate_spread.standard_error * rate_spread.standard_error as variance
    from buckets
    inner join member_spread
        on buckets.expiry_bucket = member_spread.expiry_bucket and buckets.is_past_expiry = member_spread.is_past_expiry
    inner join rate_spread
        on buckets.expiry_bucket = rate_spread.expiry_bucket and buckets.is_past_expiry = rate_spread.is_past_expiry
),

expected as (
    select
        *,
        redeemed_points / all_points as expected_rate,
        -- members who tell as much as these do; where the rate is none or all, their number, by the points of each
        coalesce(
            redeemed_points * (all_points - redeemed_points) / case when variance > 1e-9 * all_points * all_points then variance end,
            {{ effective_size('all_points', 'squared_points') }}
        ) as effective_members
    from spread
),

intervals as (
    select
        *,
        all_points * {{ wilson_low('expected_rate * effective_members', 'effective_members') }} as redeemed_points_low,
        all_points * {{ wilson_high('expected_rate * effective_members', 'effective_members') }} as redeemed_points_high
    from expected
),

redeemable as (
    select
        *,
        {% for column in ['redeemed_points', 'redeemed_points_low', 'redeemed_points_high'] -%}
        {{ total('case when is_past_expiry then 0e0 else ' ~ column ~ ' end') }} as rounded_{{ column }},
        {% endfor -%}
        {{ total('case when is_past_expiry then 0 else points end') }} as outstanding_points,
        {{ total('case when is_past_expiry then points else 0 end') }} as past_expiry_points
    from intervals
),

-- rounding takes points past the end that they stand for, and a double holds 15 digits of them
redeemed as (
    select
        *,
        {{ bounded('rounded_redeemed_points', '0', 'outstanding_points') }} as expected_redeemed_points
    from redeemable
),

bounded as (
    select
        *,
        {{ bounded('rounded_redeemed_points_low', '0', 'expected_redeemed_points') }} as expected_redeemed_points_low,
        {{ bounded('rounded_redeemed_points_high', 'expected_redeemed_points', 'outstanding_points') }} as expected_redeemed_points_high
    from redeemed
),

final as (
    select
        bounded.expiry_bucket,
        bounded.is_past_expiry,
        bounded.expiry_month,
        bounded.lots,
        bounded.outstanding_points,
        bounded.past_expiry_points,
        bounded.expected_rate as expected_redemption_rate,
        case when bounded.expected_rate is not null then bounded.effective_members end as effective_members,
        {{ total('bounded.expected_redeemed_points') }} as expected_redeemed_points,
        {% for end in ['low', 'high'] -%}
        {{ total('bounded.expected_redeemed_points_' ~ end) }} as expected_redeemed_points_{{ end }},
        {% endfor -%}
        {{ total('bounded.outstanding_points - bounded.expected_redeemed_points') }} as expected_breakage_points,
        {{ product('bounded.outstanding_points', 'run_context.point_value') }} as liability_amount,
        {{ product('bounded.expected_redeemed_points', 'run_context.point_value') }} as expected_liability_amount,
        {% for end in ['low', 'high'] -%}
        {{ product('bounded.expected_redeemed_points_' ~ end, 'run_context.point_value') }} as expected_liability_amount_{{ end }},
        {% endfor -%}
        settled.settled_points,
        settled.settled_redeemed_points
    from bounded
    cross join run_context
    left join settled on bounded.expiry_bucket = settled.expiry_bucket and bounded.is_past_expiry = settled.is_past_expiry
)

{{ select_with_labels('final') }}
