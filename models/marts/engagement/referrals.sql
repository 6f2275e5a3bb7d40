with

referrals as (
    select * from {{ ref('int_referrals_checked') }}
),

final as (
    select
        customer_id,
        referrer_customer_id,
        referred_on,
        first_purchase_on,
        net_revenue,
        is_self_referral,
        is_circular,
        is_referrer_known,
        is_earlier_customer,
        is_referrer_known and not is_self_referral and not is_circular and not is_earlier_customer as is_counted,
        first_purchase_on is not null and not is_earlier_customer as is_converted
    from referrals
)

select * from final
