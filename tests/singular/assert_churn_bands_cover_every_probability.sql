with bands as (
    select
        risk_band,
        from_probability,
        row_number() over (order by from_probability asc nulls last, risk_band asc nulls last) as place
    from {{ ref('churn_risk_bands') }}
),

first_band as (
    select count(*) as bands_from_zero from bands
    where place = 1 and from_probability = 0
)

select
    bands.risk_band,
    bands.from_probability,
    first_band.bands_from_zero
from bands
cross join first_band
where
    bands.from_probability is null
    or bands.from_probability < 0
    or bands.from_probability >= 1
    or first_band.bands_from_zero = 0
