with

referrals as (
    select * from {{ ref('referrals') }}
    where is_counted
),

purchases as (
    select customer_id, net_revenue from {{ ref('int_customer_purchases_summarised') }}
),

ambassador_levels as (
    select
        ambassador_level,
        from_converted_referrals,
        lead(from_converted_referrals) over (order by from_converted_referrals asc nulls last) as below_converted_referrals
    from {{ ref('ambassador_levels') }}
),

referrers as (
    select
        referrer_customer_id as customer_id,
        count(*) as referred_customers,
        count(*) filter (where is_converted) as converted_customers,
        min(referred_on) as first_referred_on,
        max(referred_on) as last_referred_on,
        {{ total('sum(net_revenue)') }} as referred_net_revenue
    from referrals
    group by referrer_customer_id
),

final as (
    select
        referrers.customer_id,
        referrers.referred_customers,
        referrers.converted_customers,
        {{ ratio('referrers.converted_customers', 'referrers.referred_customers') }} as conversion_rate,
        {{ wilson_low('referrers.converted_customers', 'referrers.referred_customers') }} as conversion_rate_low,
        {{ wilson_high('referrers.converted_customers', 'referrers.referred_customers') }} as conversion_rate_high,
        referrers.first_referred_on,
        referrers.last_referred_on,
        referrers.referred_net_revenue,
        coalesce(purchases.net_revenue, {{ total('0') }}) as own_net_revenue,
        ambassador_levels.ambassador_level,
        ambassador_levels.ambassador_level is not null as is_ambassador
    from referrers
    left join purchases on referrers.customer_id = purchases.customer_id
    -- levels are half-open and do not overlap, so at most one matches
    left join ambassador_levels
        on referrers.converted_customers >= ambassador_levels.from_converted_referrals
        and (
            referrers.converted_customers < ambassador_levels.below_converted_referrals
            or ambassador_levels.below_converted_referrals is null
        )
)

{{ select_with_labels('final') }}
