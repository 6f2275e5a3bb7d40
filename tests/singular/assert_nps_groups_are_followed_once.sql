with group_sums as (
    select
        sum(customers) filter (where response_group != 'all') as customers,
        sum(customers) filter (where response_group = 'all') as all_customers,
        sum(repurchased_customers) filter (where response_group != 'all') as repurchased_customers,
        sum(repurchased_customers) filter (where response_group = 'all') as all_repurchased_customers,
        sum(net_revenue) filter (where response_group != 'all') as net_revenue,
        sum(net_revenue) filter (where response_group = 'all') as all_net_revenue
    from {{ ref('nps_repurchase') }}
),

respondents as (
    select count(*) as customers
    from {{ ref('survey_responses') }}
    where survey_type = 'nps' and customer_id is not null and is_latest
)

select *
from group_sums
cross join respondents
where
    group_sums.customers is distinct from group_sums.all_customers
    or group_sums.repurchased_customers is distinct from group_sums.all_repurchased_customers
    or group_sums.net_revenue is distinct from group_sums.all_net_revenue
    or group_sums.all_customers > respondents.customers
