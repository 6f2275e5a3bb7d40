with pairs as (
    select
        horizon_days,
        count(*) as pairs
    from {{ ref('int_programme_pair_outcomes') }}
    where not is_placebo
    group by horizon_days
)

select
    effects.horizon_days,
    effects.metric,
    effects.matched_pairs,
    pairs.pairs
from {{ ref('programme_effect') }} as effects
left join pairs on effects.horizon_days = pairs.horizon_days
where effects.matched_pairs != coalesce(pairs.pairs, 0)
