select
    coalesce(purchases.customer_id, risks.customer_id) as customer_id,
    purchases.last_purchase_on,
    risks.days_since_last_purchase
from {{ ref('int_customer_purchases_summarised') }} as purchases
full outer join {{ ref('customer_churn_risk') }} as risks on purchases.customer_id = risks.customer_id
where purchases.customer_id is null or risks.customer_id is null
