with referrals as (
    select
        count(*) as referred_customers,
        coalesce(sum(case when is_converted then 1 else 0 end), 0) as converted_customers,
        coalesce(sum(net_revenue), 0) as net_revenue
    from {{ ref('referrals') }}
    where is_counted
),

ambassadors as (
    select
        coalesce(sum(referred_customers), 0) as referred_customers,
        coalesce(sum(converted_customers), 0) as converted_customers,
        coalesce(sum(referred_net_revenue), 0) as net_revenue
    from {{ ref('ambassadors') }}
)

select
    referrals.referred_customers,
    ambassadors.referred_customers as referred_of_ambassadors,
    referrals.net_revenue,
    ambassadors.net_revenue as net_revenue_of_ambassadors
from referrals
cross join ambassadors
where
    referrals.referred_customers != ambassadors.referred_customers
    or referrals.converted_customers != ambassadors.converted_customers
    or referrals.net_revenue != ambassadors.net_revenue
