with buyers as (
    select coalesce(sum(buyers), 0) as customers
    from {{ ref('repurchase_rates') }}
    where
        dimension = 'all'
        and window_days = 365
        and as_of_date = (select as_of_date from {{ ref('run_context') }})
),

scored as (
    select count(*) as customers from {{ ref('customer_rfm') }}
),

arrived as (
    select coalesce(sum(customers), 0) as customers
    from {{ ref('rfm_segment_transitions') }}
    where
        to_segment != 'none'
        and month = (select max(month) from {{ ref('rfm_segment_transitions') }})
)

select buyers.customers as buyers, scored.customers as scored, arrived.customers as arrived
from buyers
cross join scored
cross join arrived
where buyers.customers != scored.customers or scored.customers != arrived.customers
