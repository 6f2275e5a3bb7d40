with targets as (
    select
        sum(case when target = 'churn' then 1 else 0 end) as churn_rows,
        sum(case when target = 'purchases' then 1 else 0 end) as purchases_rows,
        sum(case when target = 'clv' then 1 else 0 end) as clv_rows,
        count(*) as all_rows
    from {{ ref('int_model_champions_current') }}
)

select churn_rows, purchases_rows, clv_rows, all_rows
from targets
where churn_rows != 1 or purchases_rows != 1 or clv_rows != 1 or all_rows != 3
