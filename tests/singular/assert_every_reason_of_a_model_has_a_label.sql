with reasons as (
    select reason_code from {{ ref('stg_model_fits') }}
    union all
    select unreliable_reason as reason_code from {{ ref('stg_model_champions') }}
),

written_reasons as (
    select reason_code, count(*) as times
    from reasons
    where reason_code is not null
    group by reason_code
)

select written_reasons.reason_code, written_reasons.times
from written_reasons
left join {{ ref('model_reasons') }} as model_reasons on written_reasons.reason_code = model_reasons.reason_code
where model_reasons.reason_code is null
