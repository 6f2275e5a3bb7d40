with cells as (
    select risk_band, true as is_high_value from {{ ref('churn_risk_bands') }}
    union all
    select risk_band, false as is_high_value from {{ ref('churn_risk_bands') }}
)

select
    coalesce(cells.risk_band, retention_actions.risk_band) as risk_band,
    coalesce(cells.is_high_value, retention_actions.is_high_value) as is_high_value,
    retention_actions.action
from cells
full outer join {{ ref('retention_actions') }} as retention_actions
    on cells.risk_band = retention_actions.risk_band
    and cells.is_high_value = retention_actions.is_high_value
where cells.risk_band is null or retention_actions.action is null
