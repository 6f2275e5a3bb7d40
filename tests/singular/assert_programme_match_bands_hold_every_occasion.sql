with wanted as (
    select 'purchase_number' as covariate, 1 as band_from
    union all
    select 'tenure_days' as covariate, 0 as band_from
    union all
    select 'gap_days' as covariate, 0 as band_from
),

lowest as (
    select
        covariate,
        min(band_from) as band_from
    from {{ ref('programme_match_bands') }}
    group by covariate
)

select
    coalesce(wanted.covariate, lowest.covariate) as covariate,
    wanted.band_from as wanted_from,
    lowest.band_from
from wanted
full outer join lowest on wanted.covariate = lowest.covariate
where wanted.band_from is distinct from lowest.band_from
