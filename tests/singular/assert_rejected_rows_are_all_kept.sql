with shown as (
    select table_name, count(*) as rows_shown
    from {{ ref('rejected_rows') }}
    group by table_name
)

select
    reconciliation.table_name,
    reconciliation.rows_rejected,
    coalesce(shown.rows_shown, 0) as rows_shown
from {{ ref('row_reconciliation') }} as reconciliation
left join shown on reconciliation.table_name = shown.table_name
where reconciliation.rows_rejected != coalesce(shown.rows_shown, 0)
