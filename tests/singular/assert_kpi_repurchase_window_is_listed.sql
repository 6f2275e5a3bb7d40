select run_context.kpi_repurchase_days
from {{ ref('run_context') }} as run_context
left join {{ ref('repurchase_windows') }} as windows on run_context.kpi_repurchase_days = windows.window_days
where windows.window_days is null
