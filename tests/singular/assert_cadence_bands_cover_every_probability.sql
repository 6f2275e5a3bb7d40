with expected as (
    select 'early' as cadence_status, 1 as place
    union all
    select 'due' as cadence_status, 2 as place
    union all
    select 'overdue' as cadence_status, 3 as place
    union all
    select 'lapsed' as cadence_status, 4 as place
),

found as (
    select
        cadence_status,
        from_probability,
        row_number() over (order by from_probability asc nulls last, cadence_status asc nulls last) as place
    from {{ ref('cadence_bands') }}
)

select
    coalesce(found.cadence_status, expected.cadence_status) as cadence_status,
    found.from_probability,
    found.place,
    expected.place as expected_place
from expected
full outer join found on expected.cadence_status = found.cadence_status
where
    expected.place is distinct from found.place
    or found.from_probability not between 0 and 1
    or (found.place = 1 and found.from_probability != 0)
