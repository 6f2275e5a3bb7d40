with bands as (
    select risk_band from {{ ref('churn_risk_bands') }}
    union all
    select 'left' as risk_band
),

cells as (
    select risk_band, true as is_valuable from bands
    union all
    select risk_band, false as is_valuable from bands
)

select
    coalesce(cells.risk_band, retention_actions.risk_band) as risk_band,
    coalesce(cells.is_valuable, retention_actions.is_valuable) as is_valuable,
    retention_actions.action
from cells
full outer join {{ ref('retention_actions') }} as retention_actions
    on cells.risk_band = retention_actions.risk_band
    and cells.is_valuable = retention_actions.is_valuable
where cells.risk_band is null or retention_actions.action is null
