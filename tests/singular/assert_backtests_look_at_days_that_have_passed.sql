select fit_id, model_name, target, cut_date, horizon_days, as_of_date
from {{ ref('model_backtests') }}
where {{ add_days('cut_date', 'horizon_days') }} > as_of_date
