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
left join {{ ref('unreliability_reasons') }} as unreliability_reasons on written_reasons.reason_code = unreliability_reasons.reason_code
where unreliability_reasons.reason_code is null
