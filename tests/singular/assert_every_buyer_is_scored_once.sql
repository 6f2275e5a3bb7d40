with features as (
    select features.*
    from {{ ref('int_customer_features') }} as features
    inner join {{ ref('run_context') }} as run_context on features.as_of_date = run_context.as_of_date
)

select
    customers.customer_id,
    features.customer_id as customer_id_of_features,
    customers.repeat_purchase_days,
    features.repeat_purchase_days as repeat_purchase_days_of_features,
    customers.recency_days_btyd,
    features.recency_days_btyd as recency_days_of_features,
    customers.tenure_days,
    features.tenure_days as tenure_days_of_features
from {{ ref('customer_clv') }} as customers
full outer join features on customers.customer_id = features.customer_id
where
    customers.customer_id is null
    or features.customer_id is null
    or customers.repeat_purchase_days != features.repeat_purchase_days
    or customers.recency_days_btyd != features.recency_days_btyd
    or customers.tenure_days != features.tenure_days
