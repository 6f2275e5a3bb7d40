with bands as (
    select
        age_band,
        from_age,
        below_age,
        lead(from_age, 1, 150) over (order by from_age asc nulls last) as next_from_age,
        row_number() over (order by from_age asc nulls last) as place
    from {{ ref('age_bands') }}
)

select age_band, from_age, below_age, next_from_age
from bands
where below_age != next_from_age or (place = 1 and from_age != 0)
